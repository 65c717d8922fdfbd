// Numbers, times and enumerations as people and programs read them.
//
// Pure functions, safe on any thread; local time follows TZ. Micros are since 1970 UTC.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "client/look.h"
#include "traind/v1/training.pb.h"

namespace traind {

std::string count_text(std::int64_t number);   // 1,234,567
std::string percent_text(double share);        // 41.2 %
std::string loss_text(double loss);            // 0.4310
std::string rate_text(double rate);            // 0.001, 5e-05
std::string bleu_text(double bleu);            // 54.21, of 100
std::string perplexity_text(double loss);      // 1.924: exp of a loss in nats a token
std::string score_text(double score);          // -0.4312: of an answer, a log probability
std::string speed_text(double per_second);     // 1,204; 3.2 below ten
std::string bytes_text(std::int64_t bytes);    // 9.8 MB (of a million bytes)
std::string duration_text(double seconds);     // 21h 2m 48s; 0.4s below one second
std::string rfc3339(std::int64_t micros);      // 2026-11-21T14:12:09.250000Z
std::string utc_seconds(std::int64_t micros);  // 2026-11-21T14:12:09Z
std::string clock_text(std::int64_t micros);   // 14:12:09, local time

// "87 % busy, 31.2 GB of 143.8 GB, 61 C, 412 W": what is known of the GPU; nothing without one.
std::string gauges_text(const v1::Progress& progress);

// When something will be: the clock time, with the date when that is not today's.
std::string moment_text(std::int64_t micros, std::int64_t now_micros);
// "3m 14s ago" for a person at a terminal, UTC otherwise, "-" for 0.
std::string age_text(std::int64_t micros, const Look& look);

// "90", "90s", "10m", "1h30m", "2d"; nothing when it cannot be read as a positive duration.
std::optional<double> parse_duration(std::string_view text);

// Lower-case names, as in JSON: "running", "training", "interval". Unknown values: "unknown".
std::string name_of(v1::RunState state);
std::string name_of(v1::Phase phase);
std::string name_of(v1::CheckpointReason reason);
std::string name_of(v1::Measure measure);
std::string name_of(v1::EndReason reason);
// The same for people: "exact match", "BLEU".
std::string words_of(v1::Measure measure);

// "train.learning_rate 0.001 -> 0.0005"
std::string change_text(const v1::SettingChanged& change);
// Held-out lines were answered; a language model answers none.
bool has_answers(const v1::Scores& scores);
// These were measured: a version before them stored none.
bool has_error_rates(const v1::Scores& scores);
bool has_bleu(const v1::Scores& scores);

// Nothing more happens to such a run by itself.
bool has_ended(v1::RunState state);

}  // namespace traind
