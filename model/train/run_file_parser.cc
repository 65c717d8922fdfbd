#include <limits>

#include "model/train/run_file_tables.h"

namespace traind {
namespace {

constexpr std::int64_t kManyBatches = std::int64_t{1} << 40;

void read_checkpoint(TomlReader& in, CheckpointSection& checkpoint) {
  checkpoint.every_batches =
      in.integer("checkpoint", "every_batches", checkpoint.every_batches, 0, kManyBatches);
  checkpoint.every_minutes =
      in.number("checkpoint", "every_minutes", checkpoint.every_minutes, 0, 1e6);
  checkpoint.keep = static_cast<int>(in.integer("checkpoint", "keep", checkpoint.keep, 1, 10'000));
  checkpoint.on_error =
      read_word(in, "checkpoint", "on_error", kSaveTroubleWords, checkpoint.on_error);
}

void read_report(TomlReader& in, ReportSection& report) {
  report.every_batches =
      in.integer("report", "every_batches", report.every_batches, 1, kManyBatches);
  report.samples = static_cast<int>(in.integer("report", "samples", report.samples, 0, 100));
}

}  // namespace

RunFile parse_run_file(const std::string& text, const std::string& path,
                       const std::string& base_folder) {
  TomlReader in(text, path);
  RunFile run;
  run.name = in.text("", "name", "");
  if (!run.name.empty() && !is_valid_run_name(run.name)) {
    throw in.error_at("", "name",
                      "name must begin with a letter or digit and go on with at most 63 letters, "
                      "digits, '.', '_' or '-'");
  }
  run.seed = static_cast<std::uint64_t>(in.integer("", "seed", static_cast<std::int64_t>(run.seed),
                                                   0, std::numeric_limits<std::int64_t>::max()));
  read_data(in, base_folder, run.data);
  read_noise(in, run.data, run.noise);
  read_model(in, run.data, run.model);
  read_train(in, run.model, run.train);
  read_schedule(in, run.train, run.schedule);
  read_decode(in, run.decode);
  read_checkpoint(in, run.checkpoint);
  read_report(in, run.report);
  in.refuse_unknown();
  return run;
}

}  // namespace traind
