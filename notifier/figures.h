// Numbers as a reader wants them. Pure functions; safe on any thread.
#pragma once

#include <cstdint>
#include <string>

#include "model/train/events.h"

namespace traind {

// "70.4 %"; `share` is in 0..1.
std::string percent_words(double share);
// "12,345,678"
std::string grouped(std::int64_t number);
// "0.0352": four decimals below 10, fewer above.
std::string loss_words(double loss);
// "1.067": exp of a loss in nats a token.
std::string perplexity_words(double loss);
// "exact match", "character error rate"
std::string measure_words(Measure measure);
// Shortest of up to six digits: "0.001", "1e-08".
std::string short_number(double number);
// "2026-11-21 14:03 UTC"
std::string minute_words(std::int64_t unix_micros);
// RFC 5322, 3.3: "Sat, 21 Nov 2026 02:35:07 +0000"
std::string mail_date(std::int64_t unix_micros);

}  // namespace traind
