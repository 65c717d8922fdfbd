#include "model/checkpoint/codec.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <string_view>
#include <utility>

#include "model/base/error.h"
#include "model/base/xxh64.h"
#include "model/checkpoint/header.h"
#include "model/checkpoint/json_text.h"

namespace traind {
namespace {

constexpr std::size_t kLengthField = 8;
constexpr std::uint64_t kLargestHeader = 100'000'000;  // the format's own limit
constexpr std::size_t kAlignment = 64;
constexpr int kFormat = 1;

constexpr const char* kFormatKey = "traind.format";
constexpr const char* kSealKey = "traind.header_xxh64";
constexpr const char* kSumsKey = "traind.xxh64";
// How the seal stands in every header of ours, byte for byte. Being there before all that a
// caller names, its first occurrence is the seal.
constexpr std::string_view kSealText = "\"traind.header_xxh64\":\"";
constexpr std::string_view kUnsealed = "0000000000000000";

Error corrupt(const std::string& what) { return {ErrorKind::kCorrupt, what}; }
Error our_bug(const std::string& what) { return {ErrorKind::kInternal, "checkpoint: " + what}; }

// False when the product of the shape is not representable.
bool element_count(const std::vector<std::int64_t>& shape, std::uint64_t& count) noexcept {
  count = 1;
  for (const std::int64_t extent : shape) {
    if (extent < 0 || __builtin_mul_overflow(count, static_cast<std::uint64_t>(extent), &count)) {
      return false;
    }
  }
  return true;
}

std::string sums_of(const std::vector<TensorView>& tensors) {
  std::string sums;
  for (const TensorView& tensor : tensors) {
    if (!sums.empty()) sums += ' ';
    sums += hex64(xxh64(tensor.values.data(), tensor.values.size_bytes()));
  }
  return sums;
}

void append_metadata(std::string& out, const CheckpointView& view) {
  const auto append = [&](std::string_view key, std::string_view value) {
    if (out.back() != '{') out += ',';
    append_quoted(out, key);
    out += ':';
    append_quoted(out, value);
  };
  out += "\"__metadata__\":{";
  append(kFormatKey, std::to_string(kFormat));
  append(kSealKey, kUnsealed);
  append(kSumsKey, sums_of(view.tensors));
  for (const auto& [key, value] : view.metadata) {
    if (key == kFormatKey || key == kSealKey || key == kSumsKey) {
      throw our_bug("metadata \"" + key + "\" is the codec's own");
    }
    append(key, value);
  }
  out += '}';
}

void append_tensors(std::string& out, const std::vector<TensorView>& tensors) {
  std::set<std::string_view> names = {"__metadata__"};
  std::uint64_t offset = 0;
  for (const TensorView& tensor : tensors) {
    std::uint64_t count = 0;
    if (!element_count(tensor.shape, count) || count != tensor.values.size()) {
      throw our_bug("tensor " + tensor.name + " has a shape that does not fit its values");
    }
    if (!names.insert(tensor.name).second) throw our_bug("two tensors " + tensor.name);
    const std::uint64_t end = offset + tensor.values.size_bytes();
    out += ',';
    append_entry(out, {tensor.name, "F32", tensor.shape, offset, end});
    offset = end;
  }
}

// Checks the seal and returns it. Damage is found here, before anything is made of the header.
std::string check_seal(std::string_view text) {
  const std::size_t found = text.find(kSealText);
  const std::size_t at = found + kSealText.size();
  if (found == std::string_view::npos || text.size() - at < kUnsealed.size()) {
    throw corrupt("not a checkpoint of traind, or damaged: the header has no " +
                  std::string(kSealKey));
  }
  Xxh64 hash;
  hash.update(text.data(), at);
  hash.update(kUnsealed.data(), kUnsealed.size());
  const std::string_view rest = text.substr(at + kUnsealed.size());
  hash.update(rest.data(), rest.size());
  std::string seal = hex64(hash.digest());
  if (text.substr(at, seal.size()) != seal) {
    throw corrupt("the header is damaged: its checksum does not fit");
  }
  return seal;
}

std::string take(Metadata& metadata, const char* key) {
  const auto node = metadata.extract(key);
  if (node.empty()) throw corrupt(std::string("the header has no ") + key);
  return node.mapped();
}

void check_format(const std::string& version) {
  if (version == std::to_string(kFormat)) return;
  const bool is_number =
      !version.empty() && version.size() <= 9 && version.front() != '0' &&
      std::all_of(version.begin(), version.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!is_number) throw corrupt("unknown " + std::string(kFormatKey) + " \"" + version + "\"");
  throw Error(ErrorKind::kState, "written in checkpoint format " + version +
                                     ", but this program knows formats up to " +
                                     std::to_string(kFormat) + "; use a newer traind");
}

std::vector<std::string> split_sums(const std::string& sums, std::size_t tensors) {
  std::vector<std::string> parts;
  constexpr std::size_t kDigits = 16;
  const std::size_t expected = tensors == 0 ? 0 : tensors * (kDigits + 1) - 1;
  if (sums.size() != expected) {
    throw corrupt(std::string(kSumsKey) + " does not hold one checksum for each tensor");
  }
  for (std::size_t i = 0; i < tensors; ++i) {
    parts.push_back(sums.substr(i * (kDigits + 1), kDigits));
  }
  return parts;
}

// Type, size and place of every tensor; together they must cover the data exactly.
void check_tensors(const std::vector<HeaderEntry>& tensors, std::uint64_t data_size) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> places;
  for (const HeaderEntry& entry : tensors) {
    const std::string name = "tensor \"" + entry.name + "\": ";
    if (entry.dtype != "F32") throw corrupt(name + "type " + entry.dtype + " instead of F32");
    std::uint64_t bytes = 0;
    if (!element_count(entry.shape, bytes) ||
        __builtin_mul_overflow(bytes, std::uint64_t{sizeof(float)}, &bytes)) {
      throw corrupt(name + "the shape is too large");
    }
    if (entry.begin > entry.end || entry.end - entry.begin != bytes) {
      throw corrupt(name + "data_offsets do not fit the shape");
    }
    if (entry.end > data_size) throw corrupt(name + "beyond the file's end; the file is cut off");
    places.emplace_back(entry.begin, entry.end);
  }
  std::sort(places.begin(), places.end());
  std::uint64_t covered = 0;
  for (const auto& [begin, end] : places) {
    if (begin != covered) throw corrupt("tensors overlap or leave a hole in the file");
    covered = end;
  }
  if (covered != data_size) {
    throw corrupt("the tensors need " + std::to_string(covered) + " bytes, the file has " +
                  std::to_string(data_size));
  }
}

struct CheckedHeader {
  Header header;  // the codec's own metadata taken out
  std::vector<std::string> sums;
  std::uint64_t data_start = 0;
};

CheckedHeader check_header(std::span<const std::byte> file, std::uint64_t file_size) {
  CheckedHeader checked;
  checked.data_start = header_bytes(file, file_size);
  if (file.size() < checked.data_start) throw corrupt("the header is cut off");
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + kLengthField,
                              checked.data_start - kLengthField);
  const std::string seal = check_seal(text);
  Header& header = checked.header;
  header = parse_header(text);
  if (take(header.metadata, kSealKey) != seal) throw corrupt("the header is sealed elsewhere");
  check_format(take(header.metadata, kFormatKey));
  check_tensors(header.tensors, file_size - checked.data_start);
  checked.sums = split_sums(take(header.metadata, kSumsKey), header.tensors.size());
  return checked;
}

}  // namespace

const std::string& CheckpointContent::meta(const std::string& key) const {
  const auto found = metadata.find(key);
  if (found == metadata.end()) throw corrupt("the checkpoint has no metadata \"" + key + "\"");
  return found->second;
}

const CheckpointContent::Tensor& CheckpointContent::tensor(const std::string& name) const {
  for (const Tensor& candidate : tensors) {
    if (candidate.name == name) return candidate;
  }
  throw corrupt("the checkpoint has no tensor \"" + name + "\"");
}

std::string encode_header(const CheckpointView& view) {
  std::string header(kLengthField, '\0');
  header += '{';
  append_metadata(header, view);
  append_tensors(header, view.tensors);
  header += '}';
  header.resize((header.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
  const std::uint64_t length = header.size() - kLengthField;
  if (length > kLargestHeader) throw our_bug("the header exceeds the format's 100 MB");
  std::memcpy(header.data(), &length, sizeof length);
  const std::uint64_t seal = xxh64(header.data() + kLengthField, length);
  header.replace(header.find(kSealText, kLengthField) + kSealText.size(), kUnsealed.size(),
                 hex64(seal));
  return header;
}

std::uint64_t header_bytes(std::span<const std::byte> start, std::uint64_t file_size) {
  if (start.size() < kLengthField || file_size < kLengthField) {
    throw corrupt("empty or cut off: " + std::to_string(file_size) + " bytes");
  }
  std::uint64_t length = 0;
  std::memcpy(&length, start.data(), sizeof length);
  if (length > kLargestHeader || length > file_size - kLengthField) {
    throw corrupt("not a safetensors file, or cut off: a header of " + std::to_string(length) +
                  " bytes in a file of " + std::to_string(file_size));
  }
  return kLengthField + length;
}

CheckpointContent decode_checkpoint(std::span<const std::byte> file) {
  CheckedHeader checked = check_header(file, file.size());
  const std::span<const std::byte> data = file.subspan(checked.data_start);
  CheckpointContent content;
  content.metadata = std::move(checked.header.metadata);
  content.tensors.reserve(checked.sums.size());
  for (std::size_t i = 0; i < checked.sums.size(); ++i) {
    HeaderEntry& entry = checked.header.tensors[i];
    const std::span<const std::byte> bytes = data.subspan(entry.begin, entry.end - entry.begin);
    if (hex64(xxh64(bytes.data(), bytes.size())) != checked.sums[i]) {
      throw corrupt("tensor \"" + entry.name + "\" is damaged: its checksum does not fit");
    }
    std::vector<float> values(bytes.size() / sizeof(float));
    if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
    content.tensors.push_back({std::move(entry.name), std::move(entry.shape), std::move(values)});
  }
  return content;
}

Metadata decode_metadata(std::span<const std::byte> file, std::uint64_t file_size) {
  return check_header(file, file_size).header.metadata;
}

std::string digest_of(std::span<const TensorView> tensors) {
  Xxh64 hash;
  // Lengths go in as well, so that no two lists of tensors read as the same bytes.
  const auto number = [&](std::uint64_t value) { hash.update(&value, sizeof value); };
  for (const TensorView& tensor : tensors) {
    number(tensor.name.size());
    hash.update(tensor.name.data(), tensor.name.size());
    number(tensor.shape.size());
    for (const std::int64_t extent : tensor.shape) number(static_cast<std::uint64_t>(extent));
    hash.update(tensor.values.data(), tensor.values.size_bytes());
  }
  return hex64(hash.digest());
}

}  // namespace traind
