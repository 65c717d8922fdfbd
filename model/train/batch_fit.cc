#include "model/train/batch_fit.h"

#include <algorithm>
#include <string>
#include <vector>

#include "model/base/error.h"

namespace traind {
namespace {

constexpr int kLeast = 8;  // and the batch is a multiple of it

int rounded_up(int steps, int multiple) { return (steps + multiple - 1) / multiple * multiple; }

// One training step with `batch` sentences that are all of the longest kind. Empty when it fits,
// else what the device said.
std::string refusal_of(const FitQuestion& question, int batch) {
  if (question.on_try) question.on_try();
  const std::unique_ptr<Backend> device = question.make_device();
  const int multiple = device->info().step_multiple;
  const auto sentences = static_cast<std::size_t>(batch);
  const auto ids = [&](int steps) {
    return std::vector<std::int32_t>(static_cast<std::size_t>(steps) * sentences, 0);
  };
  const int source_steps = rounded_up(question.steps.source, multiple);
  const int target_steps = rounded_up(question.steps.target, multiple);
  const std::vector<std::int32_t> source = ids(source_steps);
  const std::vector<std::int32_t> target = ids(target_steps);
  // A language model reads no sources.
  const std::vector<std::int32_t> source_lengths(source_steps > 0 ? sentences : 0, source_steps);
  const std::vector<std::int32_t> target_lengths(sentences, target_steps);
  try {
    SequenceModel model(*device, question.shape, question.optimizer);
    model.forward_backward({{source, source_lengths, source_steps},
                            {target, target_lengths, target_steps},
                            {target, target_lengths, target_steps}},
                           {1, 1});
    UpdateSettings settings;
    settings.optimizer = question.optimizer;
    model.update(settings, 1, 0.001f);
    model.take_result();
    return {};
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kDevice) throw;
    return error.what();
  }
}

bool fits(const FitQuestion& question, int batch) {
  return refusal_of(question, (batch * 10 + 8) / 9).empty();
}

}  // namespace

int largest_batch(const FitQuestion& question) {
  const auto examples = static_cast<int>(std::min<std::int64_t>(question.examples, kLargestFit));
  const int most = std::max(kLeast, examples / kLeast * kLeast);
  const std::string refusal = refusal_of(question, kLeast);
  if (!refusal.empty()) {
    throw Error(ErrorKind::kDevice, "not even a batch of " + std::to_string(kLeast) +
                                        " sentences fits into the device's memory: " + refusal);
  }
  int good = kLeast;
  int bad = most + kLeast;
  while (bad - good > kLeast) {
    const bool refused_before = bad <= most;
    const int next = refused_before ? (good + bad) / 2 / kLeast * kLeast : std::min(2 * good, most);
    (fits(question, next) ? good : bad) = next;
  }
  return good;
}

}  // namespace traind
