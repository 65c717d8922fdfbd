#include "model/train/initial_weights.h"

#include <array>
#include <limits>
#include <span>
#include <vector>

#include "model/base/error.h"
#include "model/checkpoint/store.h"
#include "model/train/model_checkpoint.h"
#include "model/train/settings_change.h"

namespace traind {
namespace {

constexpr std::uint64_t kAnySize = std::numeric_limits<std::int64_t>::max();

// What must be the same although tensors of one shape could hold it.
constexpr std::array kSameKeys = {"model.kind", "model.cell", "data.source_tokens",
                                  "data.target_tokens"};

}  // namespace

InitialWeights load_initial(const std::string& path) {
  try {
    InitialWeights initial;
    const std::string bytes = read_whole(path, kAnySize);
    initial.content = decode_checkpoint(std::as_bytes(std::span(bytes)));
    initial.identity = decode_identity(initial.content.metadata);
    const TrainState state = decode_state(initial.content.metadata);
    initial.name = initial.identity.run + " " + checkpoint_name(state.step);
    return initial;
  } catch (const Error& error) {
    const std::string what = error.what();
    if (what.find(path) != std::string::npos) throw;
    throw Error(error.kind(), path + ": " + what);
  }
}

void check_initial(const InitialWeights& initial, const RunFile& run, const ModelShape& shape) {
  const std::vector<std::string> settings = identity_of(run);
  const std::string refusal = "the run cannot begin with the weights of " + initial.name + ": ";
  for (const char* key : kSameKeys) {
    const std::string there = setting_of(initial.identity.settings, key);
    const std::string here = setting_of(settings, key);
    if (there == here) continue;
    throw Error(ErrorKind::kConfig, refusal + "its " + key + " is " +
                                        (there.empty() ? "not set" : there) +
                                        ", and this run's is " + (here.empty() ? "not set" : here));
  }
  const std::string misfit = weights_misfit(initial.content, shape);
  if (misfit.empty()) return;
  throw Error(
      ErrorKind::kConfig,
      refusal + misfit + settings_difference(initial.identity.settings, settings, "model."));
}

void copy_initial(FileOps& files, const std::string& from, const std::string& path) {
  const std::string bytes = read_whole(from, kAnySize);
  const std::array parts = {std::as_bytes(std::span(bytes))};
  write_durably(files, path, parts);
}

}  // namespace traind
