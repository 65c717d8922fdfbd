// What the daemon sends a worker: whatever its bytes, and however they arrive, the worker does what
// whole messages ask, or there is an Error.
//
// The first byte of the input says in which pieces the rest arrives.
#include <string_view>

#include "model/worker/control_reader.h"
#include "tests/fuzz/claims.h"

using namespace traind;

namespace {

struct Asked {
  bool stop = false;
  bool save = false;
  std::int64_t stored = -1;
  bool operator==(const Asked&) const = default;
};

Asked asked_by(std::string_view bytes, std::size_t piece) {
  TrainerControl control;
  FrameReader frames;
  fuzz::accepts({ErrorKind::kCorrupt}, [&] {
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      const std::string_view part = bytes.substr(at, piece);
      obey(part.data(), part.size(), frames, control);
    }
  });
  return {control.stop_requested(), control.take_save_request(), control.acknowledged()};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string bytes = fuzz::text_of(data + 1, size - 1);
  const Asked at_once = asked_by(bytes, bytes.size() + 1);
  fuzz::claim(at_once == asked_by(bytes, 1 + data[0] % 16), "pieces do not matter");
  fuzz::claim(at_once.stored >= -1, "no step is below the first");
  return 0;
}
