#include "model/nn/sequence_check.h"

#include <cstddef>
#include <string>

#include "model/base/error.h"

namespace traind {
namespace {

[[noreturn]] void refuse(const char* what, const std::string& why) {
  throw Error(ErrorKind::kInternal, std::string("unusable batch: ") + what + " " + why);
}

}  // namespace

void check_sequences(const Sequences& sequences, int words, const char* what) {
  const std::size_t batch = sequences.lengths.size();
  if (batch == 0 || sequences.steps <= 0) refuse(what, "is empty");
  const std::size_t cells = batch * static_cast<std::size_t>(sequences.steps);
  if (sequences.ids.size() != cells) {
    refuse(what, "has " + std::to_string(sequences.ids.size()) + " ids for " +
                     std::to_string(sequences.steps) + " steps of " + std::to_string(batch) +
                     " sentences");
  }
  for (std::size_t b = 0; b < batch; ++b) {
    const std::int32_t length = sequences.lengths[b];
    if (length < 1 || length > sequences.steps) {
      refuse(what, "has length " + std::to_string(length) + " in sentence " + std::to_string(b) +
                       ", outside 1 to " + std::to_string(sequences.steps));
    }
  }
  for (std::size_t i = 0; i < cells; ++i) {
    const std::int32_t id = sequences.ids[i];
    if (id < 0 || id >= words) {
      refuse(what, "has id " + std::to_string(id) + " at step " + std::to_string(i / batch) +
                       " of sentence " + std::to_string(i % batch) + ", outside a vocabulary of " +
                       std::to_string(words));
    }
  }
}

}  // namespace traind
