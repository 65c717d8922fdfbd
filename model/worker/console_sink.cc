#include "model/worker/console_sink.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <string>

#include "model/base/clock.h"
#include "model/base/plain_text.h"
#include "model/train/measure.h"

namespace traind {
namespace {

const char* in_words(EndReason reason) {
  switch (reason) {
    case EndReason::kAllEpochs:
      return "completed";
    case EndReason::kStopRequested:
      return "stopped";
    case EndReason::kEarlyStop:
      return "completed: no better epoch for train.patience epochs,";
    case EndReason::kStepLimit:
      return "completed: train.max_steps is reached,";
    case EndReason::kTimeLimit:
      return "completed: train.max_hours is reached,";
  }
  return "ended";
}

// Every line that is printed: harmless, whatever text is in it.
[[gnu::format(printf, 1, 0)]] std::string line_of(const char* form, va_list values) {
  va_list again;
  va_copy(again, values);
  const int size = std::vsnprintf(nullptr, 0, form, again);
  va_end(again);
  std::string line(static_cast<std::size_t>(std::max(size, 0)) + 1, '\0');
  std::vsnprintf(line.data(), line.size(), form, values);
  line.pop_back();
  return one_line(line);
}

[[gnu::format(printf, 1, 2)]] void say_unended(const char* form, ...) {
  va_list values;
  va_start(values, form);
  std::fputs(line_of(form, values).c_str(), stdout);
  va_end(values);
}

[[gnu::format(printf, 1, 2)]] void say(const char* form, ...) {
  va_list values;
  va_start(values, form);
  std::puts(line_of(form, values).c_str());
  va_end(values);
}

}  // namespace

ConsoleSink::ConsoleSink(TrainerControl& control)
    : control_(control), terminal_(isatty(STDOUT_FILENO) == 1) {}

ConsoleSink::~ConsoleSink() { clear_progress(); }

void ConsoleSink::on_event(const Event& event) noexcept {
  std::visit([this](const auto& alternative) { print(alternative); }, event);
  std::fflush(stdout);
}

void ConsoleSink::clear_progress() {
  if (progress_shown_) std::fputs("\r\033[K", stdout);
  progress_shown_ = false;
}

void ConsoleSink::print(const RunStarted& event) {
  clear_progress();
  say("device %s: %s (%s)", event.device.c_str(), event.device_name.c_str(),
      event.device_reason.c_str());
  say("%lld parameters; %lld examples to train on, %lld held out; %lld batches an epoch",
      static_cast<long long>(event.parameters), static_cast<long long>(event.train_examples),
      static_cast<long long>(event.valid_examples),
      static_cast<long long>(event.batches_per_epoch));
  if (!event.started_from.empty()) {
    say("began with the weights of %s", event.started_from.c_str());
  }
  resumed_from_ = event.resumed_from;
  if (event.resumed_step >= 0) {
    say("going on from %s, step %lld", event.resumed_from.c_str(),
        static_cast<long long>(event.resumed_step));
  }
}

void ConsoleSink::print(const Progress& event) {
  if (!terminal_ || event.batches == 0) return;
  clear_progress();
  say_unended("epoch %d batch %lld/%lld loss %.4f, %.0f examples/s", event.epoch,
              static_cast<long long>(event.batch), static_cast<long long>(event.batches),
              event.loss, event.examples_per_second);
  if (event.seconds_left >= 0) {
    say_unended(", %s left", duration_words(event.seconds_left).c_str());
  }
  progress_shown_ = true;
}

void ConsoleSink::print(const MetricRow& event) {
  clear_progress();
  say("epoch %d batch %lld/%lld - loss: %.4f - validation loss: %.4f", event.epoch,
      static_cast<long long>(event.batch), static_cast<long long>(event.batches_per_epoch),
      event.loss, event.valid_loss);
  control_.acknowledge(event.step);
}

void ConsoleSink::print(const EpochDone& event) {
  clear_progress();
  const bool by_loss = event.measure == Measure::kLoss;
  const std::string best =
      by_loss ? " (best)" : std::string(" (best ") + name_of(event.measure) + ")";
  say("epoch %d/%d done in %s: loss %.4f, validation loss %.4f, perplexity %.4g%s", event.epoch,
      event.epochs, duration_words(event.epoch_seconds).c_str(), event.train_loss, event.valid_loss,
      std::exp(event.valid_loss), event.best ? best.c_str() : "");
  if (event.scores.examples > 0) print(event.scores);
  for (const Sample& sample : event.samples) {
    if (event.scores.examples == 0) {
      say("  goes on: %s -> %s", sample.source.c_str(), sample.output.c_str());
      continue;
    }
    say("  %s %s -> %s%s", sample.right() ? "right:" : "wrong:", sample.source.c_str(),
        sample.output.c_str(), sample.right() ? "" : (" (expected " + sample.target + ")").c_str());
  }
}

void ConsoleSink::print(const Scores& scores) {
  say("  exact match %.1f %%, character accuracy %.1f %%, correction rate %.1f %%, "
      "copying the input %.1f %%",
      100 * scores.exact, 100 * scores.character_accuracy, 100 * scores.correction,
      100 * scores.copy_exact);
  say("  character error rate %.1f %%, word error rate %.1f %%, BLEU %.1f",
      100 * scores.character_error_rate, 100 * scores.word_error_rate, scores.bleu);
}

void ConsoleSink::print(const CheckpointSaved& event) {
  if (event.file == resumed_from_) return;  // told again, not saved again
  clear_progress();
  say("saved %s, digest %s", event.file.c_str(), event.digest.c_str());
}

void ConsoleSink::print(const CheckpointPruned&) {}
void ConsoleSink::print(const CheckpointLoading&) {}

void ConsoleSink::print(const SettingChanged& event) {
  clear_progress();
  say("%s was %s, is %s from epoch %d on", event.key.c_str(), event.was.c_str(), event.is.c_str(),
      event.epoch);
}

void ConsoleSink::print(const Notice& event) {
  clear_progress();
  say("note: %s", event.text.c_str());
}

void ConsoleSink::print(const RunEnded& event) {
  clear_progress();
  say("%s at step %lld after %s, digest %s", in_words(event.reason),
      static_cast<long long>(event.step), duration_words(event.trained_seconds).c_str(),
      event.digest.c_str());
}

void ConsoleSink::print(const RunFailed& event) {
  clear_progress();
  say("failed: %s", event.message.c_str());
}

}  // namespace traind
