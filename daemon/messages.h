// The same values in two dresses: model/train/events.h and traind.v1.
//
// Pure functions; safe on any thread. What comes from a worker is not trusted: decode_event throws
// Error(kCorrupt) for bytes that are no event and for values that could not be true.
#pragma once

#include <string>

#include "model/train/events.h"
#include "traind/v1/training.pb.h"
#include "traind/v1/worker.pb.h"

namespace traind {

Event decode_event(const std::string& bytes);

v1::Scores to_message(const Scores& scores);
v1::Measure to_message(Measure measure);
v1::EndReason to_message(EndReason reason);
v1::RunStarted to_message(const RunStarted& started);
v1::Progress to_message(const Progress& progress);
v1::MetricRow to_message(const MetricRow& row);
v1::EpochDone to_message(const EpochDone& epoch);
v1::CheckpointSaved to_message(const CheckpointSaved& checkpoint);
v1::SettingChanged to_message(const SettingChanged& change);
v1::Notice to_message(const Notice& notice);

}  // namespace traind
