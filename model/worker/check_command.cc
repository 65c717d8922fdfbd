#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "model/backend/backend.h"
#include "model/base/error.h"
#include "model/base/files.h"
#include "model/base/plain_text.h"
#include "model/data/corpus.h"
#include "model/train/checkpoint_space.h"
#include "model/train/initial_weights.h"
#include "model/train/preparation.h"
#include "model/train/run_file.h"
#include "model/worker/commands.h"
#include "model/worker/frame.h"
#include "traind/v1/worker.pb.h"

namespace traind {
namespace {

constexpr std::uint64_t kLargestRunFile = 1 << 20;

RunFile read_run_file(const CheckArguments& arguments) {
  const std::filesystem::path path = arguments.run_file;
  const std::string base = arguments.base.empty()
                               ? std::filesystem::absolute(path).parent_path().string()
                               : arguments.base;
  const std::string label = arguments.label.empty() ? arguments.run_file : arguments.label;
  RunFile run = parse_run_file(read_whole(arguments.run_file, kLargestRunFile), label, base);
  if (!arguments.name.empty()) run.name = arguments.name;
  give_name(run, label);
  return run;
}

// The model's shape with the corpus' vocabularies, or with those of the checkpoint that it will
// begin with, which must fit.
ModelShape planned_shape(const RunFile& run, const Corpus& corpus, const std::string& from) {
  if (from.empty()) return shape_of(run, corpus.source_vocabulary(), corpus.target_vocabulary());
  const InitialWeights initial = load_initial(from);
  const ModelShape shape = shape_of(run, vocabulary_from_text(initial.identity.source_vocabulary),
                                    vocabulary_from_text(initial.identity.target_vocabulary));
  check_initial(initial, run, shape);
  return shape;
}

void check(const CheckArguments& arguments, v1::CheckReport& report) {
  const RunFile run = read_run_file(arguments);
  report.set_name(run.name);
  report.set_config(to_toml(run));
  report.set_epochs(run.train.epochs);
  const auto corpus = open_corpus(run.data, run.noise, {arguments.folder, run.seed, {}});
  report.set_train_examples(corpus->report().train_examples);
  report.set_valid_examples(corpus->report().valid_examples);
  report.set_skipped_lines(corpus->report().skipped_lines);
  for (const BadLine& bad : corpus->report().first_bad) {
    report.add_notices(
        one_line("skipped " + bad.file + ":" + std::to_string(bad.line) + ": " + bad.what));
  }
  const std::uint64_t bytes =
      checkpoint_bytes(planned_shape(run, *corpus, arguments.from), run.train.optimizer);
  report.set_checkpoint_bytes(static_cast<std::int64_t>(bytes));
  const CheckpointSpace space = checkpoint_space(arguments.folder, bytes, run.checkpoint.keep, 0);
  if (!space.enough()) throw Error(ErrorKind::kNoSpace, space.in_words());
  // With "auto" there is always a device; one that was asked for by name must be there, and so must
  // the memory that a batch is to fill.
  if (run.train.device == "auto" && run.train.batch_size != kFitBatch) return;
  DeviceChoice choice = choice_of(run.train);
  choice.threads = 1;
  check_fit(run.train, make_backend(choice).backend->info());
}

}  // namespace

void give_name(RunFile& run, const std::string& run_file) {
  if (run.name.empty()) run.name = std::filesystem::path(run_file).stem().string();
  if (is_valid_run_name(run.name)) return;
  throw Error(ErrorKind::kConfig,
              "the run needs a name that begins with a letter or digit and goes on with at most "
              "63 letters, digits, '.', '_' or '-': set `name` in the run file, give --name, or "
              "call the run file so");
}

int check_command(const CheckArguments& arguments) {
  v1::CheckReport report;
  try {
    check(arguments, report);
  } catch (const std::exception& caught) {
    const Error error = error_of(caught);
    report.set_kind(name_of(error.kind()));
    report.set_message(one_line(error.what()));
  }
  return write_frame(STDOUT_FILENO, report.SerializeAsString()) ? 0 : 1;
}

}  // namespace traind
