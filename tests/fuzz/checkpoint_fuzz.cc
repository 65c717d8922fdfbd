// A checkpoint file: whatever its bytes, exactly the tensors it says, or an Error.
//
// Checksums keep blind mutations out. So three of four mutated files are mended before they are
// tried: lengths, checksums of the tensors and the header's seal are made to fit what is there.
#include <algorithm>
#include <bit>
#include <cstring>
#include <span>
#include <vector>

#include "model/base/xxh64.h"
#include "model/checkpoint/codec.h"
#include "model/checkpoint/header.h"
#include "tests/checkpoint/sealed.h"
#include "tests/fuzz/claims.h"

using namespace traind;

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

namespace {

constexpr std::size_t kLengthField = 8;
constexpr std::string_view kSumsMark = "\"traind.xxh64\":\"";

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// The data grows or shrinks to what the header's tensors cover; their checksums.
std::string fit_data(const std::string& header, std::string& data, std::size_t most) {
  std::vector<HeaderEntry> entries;
  try {
    entries = parse_header(header).tensors;
  } catch (const Error&) {
    return "";
  }
  std::uint64_t needed = 0;
  for (const HeaderEntry& entry : entries) needed = std::max(needed, entry.end);
  if (needed <= most) data.resize(static_cast<std::size_t>(needed));
  std::string sums;
  for (const HeaderEntry& entry : entries) {
    const std::size_t end = std::min<std::uint64_t>(entry.end, data.size());
    const std::size_t begin = std::min<std::uint64_t>(entry.begin, end);
    if (!sums.empty()) sums += ' ';
    sums += hex64(xxh64(data.data() + begin, end - begin));
  }
  return sums;
}

// The header is taken to end where the length says, or, as an inserted byte moves that, at the last
// brace before the data.
std::string mended(const std::string& file, unsigned seed, std::size_t most) {
  if (file.size() < kLengthField) return file;
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), sizeof length);
  const std::string rest = file.substr(kLengthField);
  const std::size_t brace = rest.rfind('}');
  if (length > rest.size() || (seed & 4) != 0) length = brace == std::string::npos ? 0 : brace + 1;
  std::string header = rest.substr(0, length);
  std::string data = rest.substr(length);
  const std::string sums = fit_data(header, data, most);
  const std::size_t mark = header.find(kSumsMark);
  if (mark != std::string::npos) {
    const std::size_t begin = mark + kSumsMark.size();
    const std::size_t end = std::min(header.find('"', begin), header.size());
    header.replace(begin, end - begin, sums);
  }
  std::string whole = sealed_file(header, data);
  return whole.size() <= most ? whole : file;
}

void check_content(const CheckpointContent& content, std::size_t data_bytes) {
  std::size_t covered = 0;
  CheckpointView view;
  view.metadata = content.metadata;
  for (const CheckpointContent::Tensor& tensor : content.tensors) {
    std::uint64_t count = 1;
    for (const std::int64_t extent : tensor.shape) count *= static_cast<std::uint64_t>(extent);
    fuzz::claim(count == tensor.values.size(), "a tensor has as many values as its shape says");
    covered += tensor.values.size() * sizeof(float);
    view.tensors.push_back({tensor.name, tensor.shape, tensor.values});
  }
  fuzz::claim(covered == data_bytes, "the tensors are all of the file that is not its header");

  std::string file = encode_header(view);
  for (const TensorView& tensor : view.tensors) {
    file.append(reinterpret_cast<const char*>(tensor.values.data()), tensor.values.size_bytes());
  }
  const CheckpointContent again = decode_checkpoint(bytes_of(file));
  fuzz::claim(again.metadata == content.metadata, "metadata comes back as it was");
  fuzz::claim(again.tensors.size() == content.tensors.size(), "every tensor comes back");
  for (std::size_t i = 0; i < again.tensors.size(); ++i) {
    const CheckpointContent::Tensor& before = content.tensors[i];
    const CheckpointContent::Tensor& after = again.tensors[i];
    fuzz::claim(after.name == before.name && after.shape == before.shape, "under its name");
    fuzz::claim(
        std::ranges::equal(after.values, before.values, {}, std::bit_cast<std::uint32_t, float>,
                           std::bit_cast<std::uint32_t, float>),
        "with the same bits");
  }
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t most, unsigned seed) {
  size = LLVMFuzzerMutate(data, size, most);
  if (seed % 4 == 0) return size;
  const std::string file = mended(fuzz::text_of(data, size), seed, most);
  std::memcpy(data, file.data(), file.size());
  return file.size();
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = std::as_bytes(std::span(data, size));
  CheckpointContent content;
  const bool good = fuzz::accepts({ErrorKind::kCorrupt, ErrorKind::kState},
                                  [&] { content = decode_checkpoint(file); });
  // As the store does before it reads all of a file.
  std::uint64_t header = 0;
  Metadata metadata;
  const bool header_good = fuzz::accepts({ErrorKind::kCorrupt, ErrorKind::kState}, [&] {
    header = header_bytes(file.first(std::min(size, kLengthField)), size);
    const std::vector<std::byte> start(file.begin(),
                                       file.begin() + static_cast<std::ptrdiff_t>(header));
    metadata = decode_metadata(start, size);
  });
  fuzz::claim(header_good || !good, "a good file has a good header");
  if (!good) return 0;
  fuzz::claim(metadata == content.metadata, "the header alone says what the file says");
  check_content(content, size - header);
  return 0;
}
