#include "model/worker/pipe_sink.h"

#include <exception>

#include "model/worker/console.h"
#include "model/worker/event_codec.h"
#include "model/worker/frame.h"

namespace traind {

void PipeSink::on_event(const Event& event) noexcept {
  if (broken_) return;
  try {
    broken_ = !write_frame(fd_, to_proto(event).SerializeAsString());
  } catch (const std::exception& error) {
    complain(error.what());
    broken_ = true;
  }
  if (broken_) control_.request_stop();
}

}  // namespace traind
