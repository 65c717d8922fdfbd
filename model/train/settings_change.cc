#include "model/train/settings_change.h"

#include <algorithm>
#include <iterator>

#include "model/base/error.h"

namespace traind {
namespace {

constexpr const char* kRate = "train.learning_rate";
constexpr const char* kEpochs = "train.epochs";
constexpr const char* kBatchSize = "train.batch_size";
constexpr const char* kBatchTokens = "train.batch_tokens";
constexpr const char* kBetween = " = ";

std::string key_of(const std::string& line) { return line.substr(0, line.find(kBetween)); }

struct Difference {
  std::string key;
  std::string was;  // empty = not set
  std::string is;   // likewise
};

std::vector<Difference> differences(const std::vector<std::string>& was,
                                    const std::vector<std::string>& is) {
  std::vector<Difference> found;
  for (const std::string& line : is) {
    const std::string key = key_of(line);
    const std::string before = setting_of(was, key);
    const std::string now = setting_of(is, key);
    if (before != now) found.push_back({key, before, now});
  }
  for (const std::string& line : was) {
    const std::string key = key_of(line);
    if (setting_of(is, key).empty()) found.push_back({key, setting_of(was, key), ""});
  }
  return found;
}

std::string in_words(const Difference& difference) {
  const auto value = [](const std::string& text) { return text.empty() ? "not set" : text; };
  return "\n  " + difference.key + ": was " + value(difference.was) + ", is " +
         value(difference.is);
}

bool is_batch(const std::string& key) { return key == kBatchSize || key == kBatchTokens; }

bool is_allowed(const std::string& key, const Changes& allowed) {
  return (key == kRate && allowed.learning_rate) || (key == kEpochs && allowed.epochs) ||
         (is_batch(key) && allowed.batch_size);
}

// How to name a change that would be allowed, e.g. "--epochs".
std::string flag_of(const std::string& key) {
  if (key == kRate) return "--learning-rate";
  if (key == kEpochs) return "--epochs";
  return is_batch(key) ? "--batch-size" : "";
}

[[noreturn]] void refuse(const std::vector<Difference>& refused) {
  std::string text;
  std::string flags;
  bool all_have_flags = true;
  for (const Difference& difference : refused) {
    text += in_words(difference);
    const std::string flag = flag_of(difference.key);
    all_have_flags = all_have_flags && !flag.empty();
    if (flags.find(flag) == std::string::npos) flags += (flags.empty() ? "" : ", ") + flag;
  }
  throw Error(
      ErrorKind::kConfig,
      "the run file is not the one this run began with:" + text +
          "\nPut the old values back to resume, or start a new run under another name." +
          (all_have_flags ? " To go on with the new value, name the change: " + flags + "." : ""));
}

// The batch size and the batch's tokens take each other's place; told as one change.
SettingChanged told(const Difference& difference, const std::vector<std::string>& was,
                    const TrainState& state) {
  SettingChanged change;
  change.key = difference.key;
  change.was = difference.was;
  change.is = difference.is;
  if (change.was.empty()) {
    const std::string other = change.key == kBatchSize ? kBatchTokens : kBatchSize;
    change.was = other.substr(other.find('.') + 1) + kBetween + setting_of(was, other);
  }
  change.step = state.step;
  const bool under_way = state.batch > 0;
  change.epoch = state.epoch + (is_batch(change.key) && under_way ? 1 : 0);
  return change;
}

void check_epochs(const RunFile& run, const TrainState& state) {
  const int begun = state.batch > 0 ? state.epoch : state.epoch - 1;
  if (run.train.epochs >= begun) return;
  throw Error(ErrorKind::kConfig, "train.epochs = " + std::to_string(run.train.epochs) +
                                      " is fewer than the run has begun: give at least " +
                                      std::to_string(begun));
}

}  // namespace

std::string setting_of(const std::vector<std::string>& settings, const std::string& key) {
  const std::string start = key + kBetween;
  const auto found = std::ranges::find_if(
      settings, [&](const std::string& line) { return line.starts_with(start); });
  return found == settings.end() ? "" : found->substr(start.size());
}

std::string settings_difference(const std::vector<std::string>& was,
                                const std::vector<std::string>& is, const std::string& prefix) {
  std::string text;
  for (const Difference& difference : differences(was, is)) {
    if (difference.key.starts_with(prefix)) text += in_words(difference);
  }
  return text;
}

std::vector<SettingChanged> accepted_changes(const std::vector<std::string>& settings,
                                             const TrainState& state, const RunFile& run,
                                             const Changes& allowed) {
  const std::vector<Difference> all = differences(settings, identity_of(run));
  std::vector<Difference> refused;
  std::ranges::copy_if(all, std::back_inserter(refused), [&](const Difference& difference) {
    return !is_allowed(difference.key, allowed);
  });
  if (!refused.empty()) refuse(refused);
  check_epochs(run, state);
  std::vector<SettingChanged> changes;
  for (const Difference& difference : all) {
    if (!difference.is.empty()) changes.push_back(told(difference, settings, state));
  }
  return changes;
}

}  // namespace traind
