// How repeated measurements are told: the median, and between what they lay.
//
// Pure functions; safe on any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

namespace traind {

// Of at least one value.
inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

// {"median": ..., "min": ..., "max": ..., "samples": n}, to a thousandth. Of at least one value.
inline std::string samples_json(const std::vector<double>& values) {
  char text[160];
  std::snprintf(text, sizeof text,
                "{\"median\": %.3f, \"min\": %.3f, \"max\": %.3f, \"samples\": %zu}",
                median(values), *std::min_element(values.begin(), values.end()),
                *std::max_element(values.begin(), values.end()), values.size());
  return text;
}

}  // namespace traind
