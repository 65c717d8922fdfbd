// What a checkpoint says beside its weights: a state that training can go on from, or an Error.
//
// The input is the values of the metadata in the order below, parted by form feeds; a value that is
// one "-" is left out.
#include <array>
#include <optional>
#include <string_view>

#include "model/train/train_state.h"
#include "tests/fuzz/claims.h"

using namespace traind;

namespace {

constexpr std::array kKeys = {"traind.progress",
                              "traind.results",
                              "traind.unstored_rows",
                              "traind.unstored_epochs",
                              "traind.settings",
                              "traind.started_from",
                              "traind.run",
                              "traind.corpus_fingerprint",
                              "traind.source_vocabulary",
                              "traind.target_vocabulary",
                              "traind.config"};

Metadata metadata_of(std::string_view text) {
  Metadata metadata;
  for (const char* key : kKeys) {
    const std::size_t end = std::min(text.find('\f'), text.size());
    if (text.substr(0, end) != "-") metadata[key] = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return metadata;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Metadata metadata = metadata_of(fuzz::text_of(data, size));
  std::optional<TrainState> state;
  std::optional<RunIdentity> identity;
  const bool good = fuzz::accepts({ErrorKind::kCorrupt}, [&] {
    state = decode_state(metadata);
    identity = decode_identity(metadata);
  });
  if (!good) return 0;
  fuzz::claim(state->step >= 0 && state->batch >= 0 && state->epoch >= 1 && state->inputs >= 0,
              "what counts something is not below zero");
  fuzz::claim(state->batch == 0 || state->batch_size.examples > 0 || state->batch_size.tokens > 0,
              "an epoch under way has batches");
  // The first form says in a number how many epochs there were. To write as many takes its time,
  // and that is not the parser's.
  if (state->results.size() > 10'000) return 0;
  Metadata written;
  encode_state(*state, *identity, written);
  Metadata again;
  encode_state(decode_state(written), decode_identity(written), again);
  fuzz::claim(again == written, "a state that is written reads back as the same state");
  return 0;
}
