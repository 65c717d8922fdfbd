#include "client/figures.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>

#include "client/terminal_text.h"

namespace traind {

namespace {

std::string formatted(const char* form, double number) {
  char text[64];
  std::snprintf(text, sizeof(text), form, number);
  return text;
}

std::string time_text(const char* form, const std::tm& when) {
  char text[64];
  const std::size_t size = std::strftime(text, sizeof(text), form, &when);
  return {text, size};
}

std::time_t seconds_of(std::int64_t micros) {
  return static_cast<std::time_t>(micros >= 0 ? micros / 1000000 : (micros - 999999) / 1000000);
}

std::tm utc(std::int64_t micros) {
  const std::time_t seconds = seconds_of(micros);
  std::tm when{};
  gmtime_r(&seconds, &when);
  return when;
}

std::tm local(std::int64_t micros) {
  const std::time_t seconds = seconds_of(micros);
  std::tm when{};
  localtime_r(&seconds, &when);
  return when;
}

// "RUN_STATE_QUEUED" without its prefix, in lower case.
std::string short_name(std::string_view full, std::string_view prefix) {
  if (!full.starts_with(prefix) || full.ends_with("_UNSPECIFIED")) return "unknown";
  std::string name(full.substr(prefix.size()));
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return name;
}

}  // namespace

std::string count_text(std::int64_t number) {
  std::string digits = std::to_string(number);
  const std::size_t first = number < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

std::string percent_text(double share) { return formatted("%.1f %%", share * 100); }
std::string loss_text(double loss) { return formatted("%.4f", loss); }
std::string rate_text(double rate) { return formatted("%.3g", rate); }

std::string score_text(double score) { return formatted("%.4f", score); }
std::string bleu_text(double bleu) { return formatted("%.2f", bleu); }
std::string perplexity_text(double loss) { return formatted("%.4g", std::exp(loss)); }

std::string speed_text(double per_second) {
  if (!std::isfinite(per_second) || per_second > 1e15) return "?";
  return per_second < 10 ? formatted("%.1f", per_second) : count_text(std::llround(per_second));
}

std::string bytes_text(std::int64_t bytes) {
  const auto size = static_cast<double>(bytes);
  if (bytes < 1000) return std::to_string(bytes) + " B";
  if (bytes < 999950) return formatted("%.1f kB", size / 1e3);
  if (bytes < 999950000) return formatted("%.1f MB", size / 1e6);
  return formatted("%.1f GB", size / 1e9);
}

std::string gauges_text(const v1::Progress& progress) {
  if (!progress.has_gpu()) return "";
  const v1::GpuGauges& gpu = progress.gpu();
  std::string text;
  const auto add = [&text](const std::string& more) { text += (text.empty() ? "" : ", ") + more; };
  const auto bytes = [](double count) {
    return bytes_text(static_cast<std::int64_t>(std::clamp(count, 0.0, 1e18)));
  };
  if (std::isfinite(gpu.utilisation())) add(formatted("%.0f %% busy", 100 * gpu.utilisation()));
  if (std::isfinite(gpu.memory_bytes()) && std::isfinite(gpu.memory_total_bytes())) {
    add(bytes(gpu.memory_bytes()) + " of " + bytes(gpu.memory_total_bytes()));
  }
  if (std::isfinite(gpu.celsius())) add(formatted("%.0f C", gpu.celsius()));
  if (std::isfinite(gpu.watts())) add(formatted("%.0f W", gpu.watts()));
  return text;
}

std::string duration_text(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 1e12) return "?";
  if (seconds < 0.95) return formatted("%.1fs", seconds);
  const std::int64_t whole = std::llround(seconds);
  const std::int64_t days = whole / 86400;
  const std::int64_t hours = whole / 3600 % 24;
  const std::int64_t minutes = whole / 60 % 60;
  std::string text;
  if (days > 0) text += std::to_string(days) + "d ";
  if (whole >= 3600) text += std::to_string(hours) + "h ";
  if (whole >= 60) text += std::to_string(minutes) + "m ";
  // Nobody plans by the second what takes days.
  if (days > 0) return text.substr(0, text.size() - 1);
  return text + std::to_string(whole % 60) + "s";
}

std::string rfc3339(std::int64_t micros) {
  char fraction[16];
  const std::int64_t part = ((micros % 1000000) + 1000000) % 1000000;
  std::snprintf(fraction, sizeof(fraction), ".%06dZ", static_cast<int>(part));
  return time_text("%Y-%m-%dT%H:%M:%S", utc(micros)) + fraction;
}

std::string utc_seconds(std::int64_t micros) {
  return time_text("%Y-%m-%dT%H:%M:%SZ", utc(micros));
}

std::string clock_text(std::int64_t micros) { return time_text("%H:%M:%S", local(micros)); }

std::string moment_text(std::int64_t micros, std::int64_t now_micros) {
  const std::tm when = local(micros);
  const std::tm now = local(now_micros);
  const bool today = when.tm_year == now.tm_year && when.tm_yday == now.tm_yday;
  return time_text(today ? "%H:%M:%S" : "%a %Y-%m-%d %H:%M", when);
}

std::string age_text(std::int64_t micros, const Look& look) {
  if (micros == 0) return "-";
  if (!look.terminal) return utc_seconds(micros);
  const double age = static_cast<double>(look.now_micros - micros) / 1e6;
  if (age < 1) return "just now";
  // Two units are enough.
  const std::string whole = duration_text(age);
  const std::size_t second_blank = whole.find(' ', whole.find(' ') + 1);
  return whole.substr(0, whole.find(' ') == std::string::npos ? whole.size() : second_blank) +
         " ago";
}

std::optional<double> parse_duration(std::string_view text) {
  double total = 0;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    double number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc() || !std::isfinite(number) || number < 0) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
    double unit = 1;
    if (!text.empty()) {
      constexpr std::string_view kUnits = "smhd";
      constexpr double kSeconds[] = {1, 60, 3600, 86400};
      const std::size_t which = kUnits.find(text.front());
      if (which == std::string_view::npos) return std::nullopt;
      unit = kSeconds[which];
      text.remove_prefix(1);
    }
    total += number * unit;
  }
  if (total <= 0 || total > 1e9) return std::nullopt;
  return total;
}

std::string name_of(v1::RunState state) {
  return short_name(v1::RunState_Name(state), "RUN_STATE_");
}
std::string name_of(v1::Phase phase) { return short_name(v1::Phase_Name(phase), "PHASE_"); }
std::string name_of(v1::CheckpointReason reason) {
  return short_name(v1::CheckpointReason_Name(reason), "CHECKPOINT_REASON_");
}

std::string name_of(v1::Measure measure) {
  return short_name(v1::Measure_Name(measure), "MEASURE_");
}
std::string name_of(v1::EndReason reason) {
  return short_name(v1::EndReason_Name(reason), "END_REASON_");
}

std::string words_of(v1::Measure measure) {
  if (measure == v1::MEASURE_EXACT) return "exact match";
  if (measure == v1::MEASURE_BLEU) return "BLEU";
  if (measure == v1::MEASURE_CORRECTION) return "correction rate";
  std::string words = name_of(measure);
  std::replace(words.begin(), words.end(), '_', ' ');
  return words;
}

std::string change_text(const v1::SettingChanged& change) {
  return neutral(change.key()) + " " + neutral(change.was()) + " -> " + neutral(change.is());
}

bool has_answers(const v1::Scores& scores) { return scores.examples() > 0; }

bool has_error_rates(const v1::Scores& scores) {
  return std::isfinite(scores.character_error_rate()) && std::isfinite(scores.word_error_rate());
}

bool has_bleu(const v1::Scores& scores) {
  return !scores.bleu_signature().empty() && std::isfinite(scores.bleu());
}

bool has_ended(v1::RunState state) {
  // A preempted run is not over: it waits for its machine or its daemon to come back.
  return state == v1::RUN_STATE_STOPPED || state == v1::RUN_STATE_FAILED ||
         state == v1::RUN_STATE_COMPLETED;
}

}  // namespace traind
