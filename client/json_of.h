// Replies as JSON: one stable object each, its fields listed in docs/json.md.
//
// Pure functions; safe on any thread. Numbers are numbers, names are snake_case, times RFC 3339 in
// UTC, durations seconds; what is not known is null. Fields are added, never renamed or removed.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "traind/v1/training.pb.h"

namespace traind {

using Json = nlohmann::ordered_json;

Json json_of(const v1::Run& run);
Json json_of(const v1::Scores& scores);
Json json_of(const v1::Checkpoint& checkpoint);
Json json_of(const v1::MetricRow& row);
Json json_of(const v1::EpochDone& done);
Json json_of(const v1::SettingChanged& change);
Json json_of(const v1::TranslateAnswer& answer);
Json json_of(const v1::Mail& mail);
Json json_of(const v1::GetStatusResponse& status);
Json json_of(const v1::StartRunResponse& reply);
Json json_of(const v1::VerifyResult& result);
// An event of `watch`; null for progress and heartbeats.
Json json_of(const v1::WatchRunResponse& event);

template <class Message>
Json json_list(const Message& messages) {
  Json list = Json::array();
  for (const auto& message : messages) list.push_back(json_of(message));
  return list;
}

// Indented and ending with a newline, or one line. Nothing in it can act on a terminal, and a
// string that is not UTF-8 does not break it.
std::string json_text(const Json& json);
std::string json_line(const Json& json);

}  // namespace traind
