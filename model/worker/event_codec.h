// Events as the daemon reads them. A pure function; safe on any thread.
#pragma once

#include "model/train/events.h"
#include "traind/v1/worker.pb.h"

namespace traind {

v1::WorkerEvent to_proto(const Event& event);

}  // namespace traind
