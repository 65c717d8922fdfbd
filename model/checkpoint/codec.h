// A checkpoint as bytes: the safetensors format (u64 little-endian header size, JSON header,
// tensors), with checksums in its metadata. Pure; no I/O. Safe on any thread.
//
// The header's "__metadata__" holds, beside what the caller puts there, "traind.format" (version),
// "traind.header_xxh64" (of the header with that value zeroed) and "traind.xxh64" (of each tensor).
// Those three keys are the codec's: it adds them, checks them and takes them out again. Text is
// UTF-8. Every size is checked against the bytes at hand before memory is taken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace traind {

// A tensor of float32 that lies elsewhere, in C order.
struct TensorView {
  std::string name;
  std::vector<std::int64_t> shape;
  std::span<const float> values;
};

using Metadata = std::map<std::string, std::string>;

// What to write. Tensors keep their order; names are unique.
struct CheckpointView {
  Metadata metadata;
  std::vector<TensorView> tensors;
};

// What was read; owns its memory.
struct CheckpointContent {
  Metadata metadata;
  struct Tensor {
    std::string name;
    std::vector<std::int64_t> shape;
    std::vector<float> values;
  };
  std::vector<Tensor> tensors;
  // Throws Error(kCorrupt) naming what is missing.
  const std::string& meta(const std::string& key) const;
  const Tensor& tensor(const std::string& name) const;
};

// Length prefix and header, padded so that tensors start at a multiple of 64 bytes. The tensors'
// bytes follow it in order, without gaps. Throws Error(kInternal) for what no reader would accept.
std::string encode_header(const CheckpointView& view);

// Bytes of length prefix and header together, from the file's first 8 bytes: what must be read
// before decode_metadata. Throws Error(kCorrupt) when no such header fits into the file.
std::uint64_t header_bytes(std::span<const std::byte> start, std::uint64_t file_size);

// Throws Error(kCorrupt) with the reason for anything but an intact file of this format, and
// Error(kState) for a version newer than this program knows.
CheckpointContent decode_checkpoint(std::span<const std::byte> file);
// Metadata alone, its checksum verified; `file` may be the first bytes of it (length + header).
Metadata decode_metadata(std::span<const std::byte> file, std::uint64_t file_size);

// Digest of weights: XXH64 over name, shape and values of each tensor in the order given.
std::string digest_of(std::span<const TensorView> tensors);

}  // namespace traind
