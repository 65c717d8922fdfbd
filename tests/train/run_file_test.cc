// The run file: what it accepts, what it refuses and in which words, and what makes two run files
// the same run.
#include "model/train/run_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <string>

#include "model/base/error.h"

namespace traind {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kLeast = "[data]\ntrain = \"a.tsv\"\n";

RunFile parse(const std::string& text) { return parse_run_file(text, "run.toml", "/corpora"); }

std::string refusal(const std::string& text) {
  try {
    parse(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kConfig);
    return error.what();
  }
  return "accepted";
}

TEST(RunFile, NeedsACorpusAndFillsInTheRest) {
  const RunFile run = parse(kLeast);
  EXPECT_EQ(run.data.train, "/corpora/a.tsv");
  EXPECT_EQ(run.model.hidden, 512);
  EXPECT_EQ(run.model.embedding, 512);
  EXPECT_EQ(run.train.batch_size, 128);
  EXPECT_EQ(run.train.learning_rate, 0.001);
}

TEST(RunFile, TakesAbsolutePathsAsTheyAre) {
  EXPECT_EQ(parse("[data]\ntrain = \"/elsewhere/a.tsv\"\n").data.train, "/elsewhere/a.tsv");
}

TEST(RunFile, AcceptsAWholeNumberWhereAFractionIsMeant) {
  EXPECT_EQ(parse(std::string(kLeast) + "[train]\nclip_norm = 1\n").train.clip_norm, 1.0);
}

struct Refused {
  const char* text;
  const char* words;
};

void PrintTo(const Refused& refused, std::ostream* out) { *out << refused.text; }

class RefusedRunFile : public testing::TestWithParam<Refused> {};

TEST_P(RefusedRunFile, SaysWhereAndWhy) {
  EXPECT_THAT(refusal(GetParam().text), HasSubstr(GetParam().words));
}

INSTANTIATE_TEST_SUITE_P(
    RunFile, RefusedRunFile,
    testing::Values(
        Refused{"", "data.train is needed"},
        Refused{"[data]\nformat = \"parallel\"\ntrain_source = \"a\"\n",
                "run.toml:2: data.train_source and data.train_target are needed"},
        Refused{"[data]\ntrain = \"a\"\ntrain_source = \"b\"\n",
                "run.toml:3: data.train_source belongs to format = \"parallel\""},
        Refused{"[data]\nformat = \"parallel\"\ntrain = \"a\"\n",
                "run.toml:3: data.train is not for format = \"parallel\""},
        Refused{"[data]\ntrain = \"a\"\n[train]\nlaerning_rate = 0.1\n",
                "run.toml:4: unknown key 'train.laerning_rate'; did you mean 'learning_rate'?"},
        Refused{"[data]\ntrain = \"a\"\n[modell]\nlayers = 1\n",
                "run.toml:3: unknown table [modell]; did you mean 'model'?"},
        Refused{"nmae = \"x\"\n[data]\ntrain = \"a\"\n", "did you mean 'name'?"},
        Refused{"name = \"../x\"\n[data]\ntrain = \"a\"\n", "run.toml:1: name must begin"},
        Refused{"[data]\ntrain = 5\n", "run.toml:2: data.train must be text in quotes"},
        Refused{"[data]\ntrain = \"a\"\n[train]\nepochs = \"ten\"\n",
                "run.toml:4: train.epochs must be a whole number"},
        Refused{"[data]\ntrain = \"a\"\n[train]\nprecision = \"fp61\"\n",
                "run.toml:4: train.precision = \"fp61\" is not known; it can be \"fp32\", "
                "\"tf32\", \"bf16\", \"fp16\"; did you mean 'fp16'?"},
        Refused{"[data]\ntrain = \"a\"\n[train]\ndeterministic = 1\n",
                "run.toml:4: train.deterministic must be true or false"},
        Refused{"[data]\ntrain = \"a\"\n[train]\nbatch_size = \"fits\"\n",
                "run.toml:4: train.batch_size must be a whole number or \"fit\""},
        Refused{"[data]\ntrain = \"a\"\n[train]\nbatch_size = 0\n",
                "run.toml:4: train.batch_size = 0 is not between 1 and"},
        Refused{"[data]\ntrain = \"a\"\n[train]\nepochs = 0\n",
                "run.toml:4: train.epochs = 0 is not between 1 and"},
        Refused{"[data]\ntrain = \"a\"\n[train]\nlearning_rate = nan\n", "is not between"},
        Refused{"[data]\ntrain = \"a\"\n[model]\ndropout = 1.0\n", "is not between 0 and 0.95"},
        Refused{"[data]\ntrain = \"a\"\n[model]\nhidden = 5\nbidirectional = true\n",
                "run.toml:4: model.hidden must be even"},
        Refused{"[data]\ntrain = \"a\"\n[model]\nattention = \"yes\"\n",
                "model.attention = \"yes\" is not known; it can be \"none\", \"general\""},
        Refused{"[data]\ntrain = \"a\"\n[noise]\nlines = 0.5\n",
                "[noise] is for data.format = \"lines\""},
        Refused{"[data]\nformat=\"lines\"\ntrain = \"a\"\n[noise]\nmin_edits = 3\nmax_edits = 2\n",
                "run.toml:6: noise.max_edits is below noise.min_edits"},
        Refused{"[data]\ntrain = \"a\"\nvalid_source = \"b\"\n", "belongs to format"},
        Refused{"data = 5\n", "[data] must be a table"}, Refused{"[data\n", "run.toml:1: "},
        Refused{"[data]\ntrain = \"a\"\ntrain = \"b\"\n", "run.toml:3: "}));

TEST(RunFile, NeverAcceptsWhatIsNoToml) {
  EXPECT_THAT(refusal(std::string("\0\xff\xfe", 3)), StartsWith("run.toml:"));
}

TEST(RunFile, WritesWhatItReads) {
  const RunFile run = parse(
      "name = \"spelling.2\"\nseed = 9\n[data]\nformat = \"lines\"\ntrain = \"w \\\"x\\\".txt\"\n"
      "valid_fraction = 0.1\nbad_lines = \"skip\"\nsource_tokens = \"words\"\n[noise]\n"
      "lines = 0.333\nper_character = 1e-3\nfresh_each_epoch = false\n[model]\nlayers = 3\n"
      "bidirectional = true\nattention = \"general\"\ndropout = 0.3\n[train]\nepochs = 4\n"
      "learning_rate = 3e-4\nthreads = 2\nprecision = \"tf32\"\ndeterministic = "
      "true\n[checkpoint]\nevery_minutes = 0.25\n[report]\n"
      "samples = 1\n");
  const std::string written = to_toml(run);
  EXPECT_EQ(to_toml(parse_run_file(written, "written.toml", "/other")), written);
  EXPECT_THAT(written, HasSubstr("learning_rate = 0.0003\n"));
  EXPECT_THAT(written, HasSubstr("precision = \"tf32\"\ndeterministic = true\n"));
  EXPECT_EQ(parse_run_file(written, "written.toml", "/other").data.train, "/corpora/w \"x\".txt");
}

TEST(RunFile, TakesABatchThatFits) {
  const RunFile run = parse(std::string(kLeast) + "[train]\nbatch_size = \"fit\"\n");
  EXPECT_EQ(run.train.batch_size, kFitBatch);
  EXPECT_THAT(to_toml(run), HasSubstr("batch_size = \"fit\"\n"));
  EXPECT_EQ(to_toml(parse(to_toml(run))), to_toml(run));
}

TEST(RunFile, IdentityLeavesOutWhatDecidesNothing) {
  const RunFile one = parse(kLeast);
  RunFile other = one;
  other.name = "renamed";
  other.data.train = "/moved/a.tsv";
  other.train.threads = 7;
  other.train.device = "cpu";
  other.train.precision = "fp16";
  other.train.deterministic = true;
  other.checkpoint.keep = 9;
  EXPECT_EQ(identity_of(one), identity_of(other));
  other.train.learning_rate = 0.5;
  EXPECT_NE(identity_of(one), identity_of(other));
}

TEST(RunName, IsAFileNameAndNothingElse) {
  for (const char* good : {"a", "9", "spelling-3.b_C", "A.."}) EXPECT_TRUE(is_valid_run_name(good));
  for (const char* bad : {"", ".", "..", "-x", "_x", "a b", "a/b", "a\n", "\xc3\xa4"}) {
    EXPECT_FALSE(is_valid_run_name(bad)) << bad;
  }
  EXPECT_TRUE(is_valid_run_name(std::string(64, 'a')));
  EXPECT_FALSE(is_valid_run_name(std::string(65, 'a')));
}

}  // namespace
}  // namespace traind
