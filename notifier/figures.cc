#include "notifier/figures.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>

#include "model/base/clock.h"
#include "model/train/measure.h"

namespace traind {

std::string percent_words(double share) {
  char text[64];
  std::snprintf(text, sizeof text, "%.1f %%", share * 100);
  return text;
}

std::string grouped(std::int64_t number) {
  std::string digits = std::to_string(number);
  const std::size_t first = number < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

std::string loss_words(double loss) {
  char text[64];
  const double size = std::fabs(loss);
  if (size < 1000) {
    std::snprintf(text, sizeof text, "%.*f", size < 10 ? 4 : 2, loss);
  } else {
    std::snprintf(text, sizeof text, "%.4g", loss);
  }
  return text;
}

std::string perplexity_words(double loss) {
  char text[64];
  std::snprintf(text, sizeof text, "%.4g", std::exp(loss));
  return text;
}

std::string measure_words(Measure measure) {
  if (measure == Measure::kExact) return "exact match";
  if (measure == Measure::kBleu) return "BLEU";
  if (measure == Measure::kCorrection) return "correction rate";
  std::string words = name_of(measure);
  std::replace(words.begin(), words.end(), '_', ' ');
  return words;
}

std::string short_number(double number) {
  char text[64];
  std::snprintf(text, sizeof text, "%.6g", number);
  return text;
}

std::string minute_words(std::int64_t unix_micros) {
  const std::string stamp = rfc3339(unix_micros);
  const std::size_t day = stamp.find('T');
  return stamp.substr(0, day) + " " + stamp.substr(day + 1, 5) + " UTC";
}

std::string mail_date(std::int64_t unix_micros) {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t seconds = static_cast<std::time_t>(unix_micros / 1'000'000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[96];
  std::snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d +0000", kDays[utc.tm_wday],
                utc.tm_mday, kMonths[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min,
                utc.tm_sec);
  return text;
}

}  // namespace traind
