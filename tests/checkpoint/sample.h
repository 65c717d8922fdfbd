// A small checkpoint with everything that is easily lost: odd names, empty and scalar tensors,
// numbers of which there are two kinds of equal. The frozen file of format 1 holds it too, so it
// must not change.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "model/checkpoint/codec.h"

namespace traind {

// Owns the values that its view points to; the view is valid while the object lives.
struct Sample {
  Sample() = default;
  Sample(const Sample&) = delete;
  Sample& operator=(const Sample&) = delete;

  const std::vector<float> weights = {0.0f, -0.0f, 1.5f, -2.25f, 3.0e38f, 1.0e-44f};
  const std::vector<float> limits = {
      std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
      std::bit_cast<float>(0x7FC12345u), std::numeric_limits<float>::denorm_min()};
  const std::vector<float> scalar = {42.0f};
  const std::vector<float> row = {0.125f, 0.25f, 0.5f, 1.0f, 2.0f};

  CheckpointView view() const {
    CheckpointView view;
    view.metadata = {{"epoch", "3"},
                     {"empty", ""},
                     {"quotes \" and \\", "line\nbreak\ttab \x01 \x7f"},
                     {"Zeichen: \xC3\xA9\xE2\x82\xAC\xF0\x9F\x8C\xB1", std::string("nul\0nul", 7)},
                     {"x\"traind.header_xxh64", "not the seal"}};
    view.tensors = {{"encoder.weight_ih_l0", {2, 3}, weights},
                    {"limits", {2, 1, 2}, limits},
                    {"nothing", {0, 7}, {}},
                    {"scalar", {}, scalar},
                    {"name with \" and \xC3\xBC", {5}, row}};
    return view;
  }
};

// The file that `view` becomes.
inline std::string file_of(const CheckpointView& view) {
  std::string file = encode_header(view);
  for (const TensorView& tensor : view.tensors) {
    if (tensor.values.empty()) continue;
    file.append(reinterpret_cast<const char*>(tensor.values.data()), tensor.values.size_bytes());
  }
  return file;
}

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// Equal names, shapes and bits (NaN and -0 too) in the same order, and equal metadata.
inline bool is_same(const CheckpointContent& content, const CheckpointView& view) {
  if (content.metadata != view.metadata || content.tensors.size() != view.tensors.size()) {
    return false;
  }
  for (std::size_t i = 0; i < view.tensors.size(); ++i) {
    const CheckpointContent::Tensor& got = content.tensors[i];
    const TensorView& wanted = view.tensors[i];
    if (got.name != wanted.name || got.shape != wanted.shape ||
        got.values.size() != wanted.values.size()) {
      return false;
    }
    if (!got.values.empty() &&
        std::memcmp(got.values.data(), wanted.values.data(), wanted.values.size_bytes()) != 0) {
      return false;
    }
  }
  return true;
}

}  // namespace traind
