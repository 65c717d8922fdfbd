// The run file: what it accepts, what it refuses and in which words, and what makes two run files
// the same run.
#include "model/train/run_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

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

// What a table adds to a run file that is fine without it, and why it is not fine with it.
INSTANTIATE_TEST_SUITE_P(
    NewKeys, RefusedRunFile,
    testing::Values(
        Refused{"[data]\ntrain = \"a\"\n[train]\nbatch_size = 8\nbatch_tokens = 500\n",
                "run.toml:5: train.batch_tokens takes the place of train.batch_size"},
        Refused{"[data]\ntrain = \"a\"\n[train]\nbatch_tokens = 0\n",
                "run.toml:4: train.batch_tokens = 0 is not between 1 and"},
        Refused{"[data]\ntrain = \"a\"\n[train]\naccumulate = 0\n", "is not between 1 and"},
        Refused{"[data]\ntrain = \"a\"\n[train]\nlabel_smoothing = 1.0\n",
                "is not between 0 and 0.99"},
        Refused{"[data]\ntrain = \"a\"\n[train]\nmomentum = 0.5\n",
                "run.toml:4: train.momentum belongs to optimizer = \"sgd\""},
        Refused{"[data]\ntrain = \"a\"\n[train]\noptimizer = \"sgd\"\nbeta2 = 0.9\n",
                "run.toml:5: train.beta2 belongs to optimizer = \"adam\""},
        Refused{"[data]\ntrain = \"a\"\n[train]\nweight_decay = 0.1\n",
                "run.toml:4: train.weight_decay would be scaled by Adam's moments; use optimizer = "
                "\"adamw\""},
        Refused{"[data]\ntrain = \"a\"\n[train]\noptimizer = \"adam_w\"\n",
                "did you mean 'adamw'?"},
        Refused{"[data]\ntrain = \"a\"\n[train]\nbest = \"bleu4\"\n", "did you mean 'bleu'?"},
        Refused{"[data]\ntrain = \"a\"\n[train]\npatience = -1\n", "is not between 0 and"},
        Refused{"[data]\ntrain = \"a\"\n[model]\nembedding = 5\ntied_embeddings = true\n",
                "run.toml:4: model.embedding must be model.hidden when model.tied_embeddings"},
        Refused{"[data]\ntrain = \"a\"\n[model]\nkind = \"language\"\n",
                "run.toml:4: model.kind = \"language\" needs data.format = \"text\""},
        Refused{"[data]\ntrain = \"a\"\nformat = \"text\"\n",
                "run.toml:3: data.format = \"text\" is for model.kind = \"language\""}));

constexpr const char* kLanguage =
    "[data]\ntrain = \"a\"\nformat = \"text\"\n[model]\nkind = \"language\"\n";

TEST(RunFile, ALanguageModelHasNeitherSourcesNorAnswers) {
  EXPECT_EQ(parse(kLanguage).model.kind, ModelKind::kLanguage);
  const auto refused = [](const std::string& more) { return refusal(kLanguage + more); };
  EXPECT_THAT(refused("attention = \"general\"\n"),
              HasSubstr("model.attention is not for model.kind = \"language\""));
  EXPECT_THAT(refused("bidirectional = false\n"), HasSubstr("run.toml:6: model.bidirectional"));
  EXPECT_THAT(refused("[noise]\nlines = 0.5\n"), HasSubstr("[noise] is for data.format"));
  EXPECT_THAT(refused("[train]\nbest = \"correction\"\n"),
              HasSubstr("train.best can only be \"loss\" with model.kind = \"language\""));
  EXPECT_THAT(refusal("[data]\ntrain = \"a\"\nformat = \"text\"\nsource_tokens = \"words\"\n"
                      "[model]\nkind = \"language\"\n"),
              HasSubstr("use data.target_tokens"));
}

TEST(RunFile, GivenSubwordsNeedSubwordTokens) {
  EXPECT_THAT(refusal(std::string(kLeast) + "source_subwords = \"a.model\"\n"),
              HasSubstr("needs data.source_tokens = \"subwords\""));
  EXPECT_EQ(
      parse(std::string(kLeast) + "target_tokens = \"subwords\"\ntarget_subwords = \"a.model\"\n")
          .data.target_subwords,
      "/corpora/a.model");
}

TEST(RunFile, AScheduleHasTheKeysOfItsKindAlone) {
  const auto refused = [](const std::string& schedule) {
    return refusal(std::string(kLeast) + "[schedule]\n" + schedule);
  };
  EXPECT_THAT(refused("factor = 0.5\n"), HasSubstr("belongs to schedule.kind = \"plateau\", and "
                                                   "this is \"constant\""));
  EXPECT_THAT(refused("floor = 0.1\n"), HasSubstr("\"inverse_sqrt\", \"cosine\" or \"plateau\""));
  EXPECT_THAT(refused("kind = \"plateau\"\ndecay_steps = 5\n"), HasSubstr("run.toml:5: "));
  EXPECT_THAT(refused("kind = \"cosine\"\npatience = 5\n"), HasSubstr("\"plateau\""));
  EXPECT_THAT(refused("kind = \"inverse_sqrt\"\n"), HasSubstr("needs schedule.warmup_steps"));
  EXPECT_THAT(refused("kind = \"cosine\"\nwarmup_steps = 5\ndecay_steps = 5\n"),
              HasSubstr("must be above schedule.warmup_steps"));
  EXPECT_THAT(refused("kind = \"cosine\"\nfloor = 0.5\n"), HasSubstr("above train.learning_rate"));
  EXPECT_THAT(refused("kind = \"plateau\"\nfactor = 1.0\n"), HasSubstr("is not between"));
  EXPECT_THAT(refused("kind = \"linear\"\n"), HasSubstr("it can be \"constant\", "));
}

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

// Every choice there is, written and read again.
TEST(RunFile, WritesEveryNewChoiceSoThatItIsReadAgain) {
  for (const char* text :
       {"[data]\nformat = \"text\"\ntrain = \"a\"\n[model]\nkind = \"language\"\ncell = \"gru\"\n"
        "tied_embeddings = true\n[train]\nbatch_tokens = 4096\naccumulate = 4\nmax_steps = 1000\n"
        "max_hours = 1.5\noptimizer = \"sgd\"\nmomentum = 0.8\nweight_decay = 1e-4\n"
        "label_smoothing = 0.1\npatience = 3\n[schedule]\nkind = \"inverse_sqrt\"\n"
        "warmup_steps = 400\nfloor = 1e-5\n[decode]\nbeam = 4\nlength_alpha = 0.0\n"
        "[checkpoint]\non_error = \"pause\"\n",
        "[data]\nformat = \"dictionary\"\ntrain = \"a\"\nsource_tokens = \"subwords\"\n"
        "source_subwords = \"a.model\"\n[train]\noptimizer = \"adamw\"\nweight_decay = 0.01\n"
        "best = \"word_error_rate\"\n[schedule]\nkind = \"plateau\"\nfactor = 0.25\n"
        "patience = 2\nfloor = 1e-6\n",
        "[data]\ntrain = \"a\"\ntarget_tokens = \"subwords\"\n[schedule]\nkind = \"cosine\"\n"
        "warmup_steps = 10\ndecay_steps = 500\n[train]\nbest = \"bleu\"\n"}) {
    const RunFile run = parse(text);
    const std::string written = to_toml(run);
    EXPECT_EQ(to_toml(parse(written)), written);
    std::string line;
    for (std::istringstream lines(text); std::getline(lines, line);) {
      if (line[0] == '[' || line.find("1e-") != std::string::npos) continue;
      if (line.find("\"a") != std::string::npos) continue;  // a path, absolute by now
      EXPECT_THAT(written, HasSubstr(line + "\n")) << text;
    }
  }
}

TEST(RunFile, SaysWhatATrainingDoesThatCannotSave) {
  EXPECT_EQ(parse(kLeast).checkpoint.on_error, SaveTrouble::kContinue);
  const auto on_error = [](const std::string& word) {
    return std::string(kLeast) + "[checkpoint]\non_error = \"" + word + "\"\n";
  };
  EXPECT_EQ(parse(on_error("pause")).checkpoint.on_error, SaveTrouble::kPause);
  EXPECT_THAT(refusal(on_error("stop")), HasSubstr("it can be \"continue\", \"pause\""));
}

TEST(RunFile, ReadsEveryNewValue) {
  const RunFile run = parse(
      "[data]\nformat = \"dictionary\"\ntrain = \"a\"\n[model]\ncell = \"gru\"\n[train]\n"
      "batch_tokens = 4096\naccumulate = 4\nmax_steps = 1000\nmax_hours = 2\noptimizer = \"sgd\"\n"
      "momentum = 0.5\nweight_decay = 0.125\nlabel_smoothing = 0.25\nbest = \"correction\"\n"
      "patience = 7\n[schedule]\nkind = \"plateau\"\nwarmup_steps = 5\nfloor = 1e-4\n"
      "factor = 0.75\npatience = 3\n[decode]\nbeam = 5\nlength_alpha = 1\n");
  EXPECT_EQ(run.data.format, CorpusFormat::kDictionary);
  EXPECT_EQ(run.data.source_tokens, TokenKind::kCharacters);
  EXPECT_EQ(run.data.target_tokens, TokenKind::kWords);
  EXPECT_EQ(run.model.cell, CellKind::kGru);
  EXPECT_EQ(run.train.batch_tokens, 4096);
  EXPECT_EQ(run.train.accumulate, 4);
  EXPECT_EQ(run.train.max_steps, 1000);
  EXPECT_EQ(run.train.max_hours, 2);
  EXPECT_EQ(run.train.optimizer, Optimizer::kSgd);
  EXPECT_EQ(run.train.momentum, 0.5);
  EXPECT_EQ(run.train.weight_decay, 0.125);
  EXPECT_EQ(run.train.label_smoothing, 0.25);
  EXPECT_EQ(run.train.best, Measure::kCorrection);
  EXPECT_EQ(run.train.patience, 7);
  EXPECT_EQ(run.schedule.kind, ScheduleKind::kPlateau);
  EXPECT_EQ(run.schedule.warmup_steps, 5);
  EXPECT_EQ(run.schedule.floor, 1e-4);
  EXPECT_EQ(run.schedule.factor, 0.75);
  EXPECT_EQ(run.schedule.patience, 3);
  EXPECT_EQ(run.decode.beam, 5);
  EXPECT_EQ(run.decode.length_alpha, 1);
}

TEST(RunFile, IdentityLeavesOutWhatDecidesNothing) {
  const RunFile one = parse(kLeast);
  RunFile other = one;
  other.name = "renamed";
  other.data.train = "/moved/a.tsv";
  other.data.source_subwords = "/moved/a.model";
  other.train.threads = 7;
  other.train.device = "cpu";
  other.train.precision = "fp16";
  other.train.deterministic = true;
  other.checkpoint.keep = 9;
  other.checkpoint.on_error = SaveTrouble::kPause;
  EXPECT_EQ(identity_of(one), identity_of(other));
  for (const auto& change : std::vector<std::function<void(RunFile&)>>{
           [](RunFile& run) { run.train.learning_rate = 0.5; },
           [](RunFile& run) { run.train.batch_tokens = 500; },
           [](RunFile& run) { run.train.accumulate = 2; },
           [](RunFile& run) { run.train.label_smoothing = 0.1; },
           [](RunFile& run) { run.train.optimizer = Optimizer::kAdamW; },
           [](RunFile& run) { run.train.best = Measure::kBleu; },
           [](RunFile& run) { run.train.patience = 3; },
           [](RunFile& run) { run.train.max_steps = 5; },
           [](RunFile& run) { run.train.max_hours = 5; },
           [](RunFile& run) { run.model.cell = CellKind::kGru; },
           [](RunFile& run) { run.model.tied_embeddings = true; },
           [](RunFile& run) { run.schedule.warmup_steps = 3; },
           [](RunFile& run) { run.schedule.kind = ScheduleKind::kCosine; },
           [](RunFile& run) { run.decode.beam = 3; }}) {
    RunFile changed = one;
    change(changed);
    EXPECT_NE(identity_of(one), identity_of(changed)) << to_toml(changed);
  }
}

TEST(RunFile, WritesTheSmallestNumbers) {
  for (const char* decay : {"1e-310", "5e-324", "2.2250738585072014e-308"}) {
    const std::string text =
        std::string("[data]\ntrain = \"x\"\n[train]\noptimizer = \"sgd\"\nweight_decay = ") + decay;
    const RunFile run = parse_run_file(text, "r.toml", "/");
    const RunFile again = parse_run_file(to_toml(run), "again.toml", "/");
    EXPECT_GT(again.train.weight_decay, 0);
    EXPECT_EQ(again.train.weight_decay, run.train.weight_decay) << decay;
  }
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
