// The JSON header of a safetensors file as values. Its grammar only: whether offsets, shapes and
// checksums fit the file is the codec's business.
// Format: https://github.com/huggingface/safetensors#format. Functions; safe on any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/checkpoint/codec.h"

namespace traind {

struct HeaderEntry {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;  // bytes, from where the tensors start
  std::uint64_t end = 0;
};

struct Header {
  Metadata metadata;
  std::vector<HeaderEntry> tensors;  // in the order written
};

// Throws Error(kCorrupt) naming the place for anything but one object of this grammar, without
// duplicate or unknown keys; trailing white space is allowed.
Header parse_header(std::string_view text);

// Appends "NAME":{"dtype":"F32","shape":[..],"data_offsets":[begin,end]}.
void append_entry(std::string& out, const HeaderEntry& entry);

}  // namespace traind
