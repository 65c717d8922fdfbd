// run.toml: whatever its bytes, a run in which every value is one that can be, or an Error.
#include <optional>

#include "model/train/run_file.h"
#include "tests/fuzz/claims.h"

using namespace traind;

namespace {

void check_values(const RunFile& run) {
  fuzz::claim(run.name.empty() || is_valid_run_name(run.name), "a run's name is a safe file name");
  fuzz::claim(run.model.layers >= 1 && run.model.hidden >= 1 && run.model.embedding >= 1,
              "a model has layers and widths");
  fuzz::claim(run.train.epochs >= 1 && run.train.batch_size >= 0 && run.train.accumulate >= 1,
              "training takes steps");
  fuzz::claim(run.train.learning_rate > 0 && run.schedule.floor <= run.train.learning_rate,
              "the rate is above zero and the floor not above it");
  fuzz::claim(run.data.valid_fraction > 0 && run.data.valid_fraction < 1, "a part is held out");
  for (const std::string* path :
       {&run.data.train, &run.data.train_source, &run.data.train_target, &run.data.valid,
        &run.data.valid_source, &run.data.valid_target}) {
    fuzz::claim(path->empty() || path->front() == '/', "paths are absolute");
    fuzz::claim(path->find('\0') == std::string::npos, "no path ends before its end");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text = fuzz::text_of(data, size);
  std::optional<RunFile> run;
  if (!fuzz::accepts({ErrorKind::kConfig}, [&] { run = parse_run_file(text, "r", "/base"); })) {
    return 0;
  }
  check_values(*run);
  const std::string written = to_toml(*run);
  const RunFile again = parse_run_file(written, "written", "/");
  fuzz::claim(to_toml(again) == written, "a run that is written out reads back as the same run");
  fuzz::claim(identity_of(again) == identity_of(*run), "and it is the same to a resume");
  return 0;
}
