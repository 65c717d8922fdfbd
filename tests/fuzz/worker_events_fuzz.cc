// What a worker sends the daemon: whatever its bytes, and however they arrive, events whose values
// can be, or an Error.
//
// The first byte of the input: even = what follows is one event, odd = the pipe's bytes with their
// lengths; it also says in which pieces they arrive.
#include <google/protobuf/stubs/logging.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/frames.h"
#include "daemon/messages.h"
#include "tests/fuzz/claims.h"

using namespace traind;

namespace {

constexpr std::size_t kLimit = 1024;

// The messages before the stream is torn or refused.
std::vector<std::string> messages_in(std::string_view bytes, std::size_t piece) {
  FrameReader reader(kLimit);
  std::vector<std::string> messages;
  fuzz::accepts({ErrorKind::kCorrupt}, [&] {
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      reader.append(bytes.substr(at, piece));
      while (auto message = reader.next()) messages.push_back(std::move(*message));
    }
  });
  return messages;
}

void check_name(const std::string& file) {
  fuzz::claim(!file.empty() && file[0] != '.' && file.find('/') == std::string::npos,
              "a checkpoint's name stays in its folder");
  fuzz::claim(std::all_of(file.begin(), file.end(), [](char c) { return c > ' ' && c < 127; }),
              "and is plain text");
}

// Writes an event the way the daemon does for its watchers, and reads it again.
struct Journey {
  template <typename Alternative, typename Message>
  void back_and_forth(const Alternative& event, Message* (v1::WorkerEvent::*field)()) const {
    v1::WorkerEvent message;
    *(message.*field)() = to_message(event);
    const Event again = decode_event(message.SerializeAsString());
    fuzz::claim(to_message(std::get<Alternative>(again)).SerializeAsString() ==
                    to_message(event).SerializeAsString(),
                "an event that is written reads back as the same event");
  }

  void operator()(const RunStarted& event) const {
    if (!event.resumed_from.empty()) check_name(event.resumed_from);
    back_and_forth(event, &v1::WorkerEvent::mutable_run_started);
  }
  void operator()(const Progress& event) const {
    fuzz::claim(event.step >= 0 && event.epoch >= 0, "no step or epoch is below zero");
    fuzz::claim(event.phase >= Phase::kStarting && event.phase <= Phase::kSaving, "a phase is one");
    back_and_forth(event, &v1::WorkerEvent::mutable_progress);
  }
  void operator()(const MetricRow& event) const {
    fuzz::claim(event.step >= 0 && event.epoch >= 0, "no step or epoch is below zero");
    back_and_forth(event, &v1::WorkerEvent::mutable_metric_row);
  }
  void operator()(const EpochDone& event) const {
    fuzz::claim(event.step >= 0 && event.epoch >= 0, "no step or epoch is below zero");
    fuzz::claim(event.measure >= Measure::kLoss && event.measure <= Measure::kCorrection,
                "a measure is one");
    back_and_forth(event, &v1::WorkerEvent::mutable_epoch_done);
  }
  void operator()(const CheckpointSaved& event) const {
    check_name(event.file);
    fuzz::claim(
        event.reason >= CheckpointReason::kInterval && event.reason <= CheckpointReason::kRequest,
        "a reason to save is one");
    back_and_forth(event, &v1::WorkerEvent::mutable_checkpoint_saved);
  }
  void operator()(const SettingChanged& event) const {
    fuzz::claim(!event.key.empty(), "a setting has a name");
    back_and_forth(event, &v1::WorkerEvent::mutable_setting_changed);
  }
  void operator()(const Notice& event) const {
    back_and_forth(event, &v1::WorkerEvent::mutable_notice);
  }
  void operator()(const CheckpointPruned& event) const { check_name(event.file); }
  void operator()(const CheckpointLoading& event) const { check_name(event.file); }
  void operator()(const RunEnded& event) const {
    fuzz::claim(event.reason >= EndReason::kAllEpochs && event.reason <= EndReason::kTimeLimit,
                "an end has a reason");
  }
  void operator()(const RunFailed&) const {}
};

void check_message(const std::string& message) {
  std::optional<Event> event;
  if (!fuzz::accepts({ErrorKind::kCorrupt}, [&] { event = decode_event(message); })) return;
  std::visit(Journey{}, *event);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // It speaks of every text that is not UTF-8.
  [[maybe_unused]] static const auto loud = google::protobuf::SetLogHandler(nullptr);
  if (size < 1) return 0;
  const std::string text = fuzz::text_of(data + 1, size - 1);
  if (data[0] % 2 == 0) {
    check_message(text);
    const std::vector<std::string> messages = messages_in(framed(text), 1 + data[0] / 2);
    fuzz::claim(text.size() > kLimit || (messages.size() == 1 && messages[0] == text),
                "a message comes out as it went in");
    return 0;
  }
  const std::vector<std::string> messages = messages_in(text, text.size() + 1);
  fuzz::claim(messages == messages_in(text, 1 + data[0] / 2), "pieces do not matter");
  for (const std::string& message : messages) check_message(message);
  return 0;
}
