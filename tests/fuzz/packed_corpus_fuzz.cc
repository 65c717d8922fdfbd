// A corpus in an archive: what unpacks is read as the same text unpacked is, the rest is an Error.
//
// The input's first byte says which unpacker it is for. Mutations of an archive's bytes seldom get
// past its checksum, so half of the mutated archives hold mutated text, packed anew.
#include <array>
#include <cstring>
#include <optional>

#include "model/data/corpus.h"
#include "model/data/unpack.h"
#include "tests/fuzz/claims.h"
#include "tests/fuzz/memory_file.h"

using namespace traind;

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

namespace {

bool is_gzip(std::uint8_t first) { return (first & 1) == 0; }

std::optional<std::string> unpacked(std::string_view archive, bool gzip) {
  std::string text;
  const auto take = [&](std::string_view piece) { text += piece; };
  const bool good = fuzz::accepts({ErrorKind::kData}, [&] {
    gzip ? unpack_gzip(archive, "archive", take) : unpack_zstd(archive, "archive", take);
  });
  if (!good) return std::nullopt;
  return text;
}

std::string little_endian(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i) & 0xFF);
  return text;
}

std::uint32_t crc32_of(std::string_view text) {
  std::uint32_t crc = ~0u;
  for (const char c : text) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xEDB88320u : 0);
  }
  return ~crc;
}

// One block that is stored as it is: RFC 1952 and 1951.
std::string as_gzip(const std::string& text) {
  const std::string size = little_endian(text.size(), 2);
  const std::string not_size = little_endian(~text.size(), 2);
  return std::string("\x1f\x8b\x08\0\0\0\0\0\0\xff\x01", 11) + size + not_size + text +
         little_endian(crc32_of(text), 4) + little_endian(text.size(), 4);
}

// The same in RFC 8878: a single segment of four bytes of size, and one raw block.
std::string as_zstd(const std::string& text) {
  return std::string("\x28\xb5\x2f\xfd\xa0", 5) + little_endian(text.size(), 4) +
         little_endian(text.size() << 3 | 1, 3) + text;
}

DataSection settings_of(std::uint8_t first) {
  DataSection data;
  data.format = (first & 2) != 0 ? CorpusFormat::kLines : CorpusFormat::kTsv;
  data.bad_lines = (first & 4) != 0 ? BadLines::kRefuse : BadLines::kSkip;
  data.valid_fraction = 0.4;
  return data;
}

// Of the corpus; empty = it is refused.
std::string fingerprint_of(const std::string& path, DataSection data) {
  data.train = path;
  std::string fingerprint;
  fuzz::accepts({ErrorKind::kData}, [&] {
    fingerprint = open_corpus(data, {}, {"/dev/shm", 1, {}})->fingerprint();
  });
  return fingerprint;
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t most, unsigned seed) {
  if (size < 1 || seed % 2 == 0) return LLVMFuzzerMutate(data, size, most);
  auto text =
      unpacked(std::string_view(reinterpret_cast<char*>(data) + 1, size - 1), is_gzip(data[0]));
  constexpr std::size_t kWrapping = 32;
  if (!text || text->size() + kWrapping > most) return LLVMFuzzerMutate(data, size, most);
  const std::size_t room = most - kWrapping;
  const std::size_t old_size = text->size();
  text->resize(room);
  text->resize(LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(text->data()), old_size, room));
  const std::string archive = is_gzip(data[0]) ? as_gzip(*text) : as_zstd(*text);
  std::memcpy(data + 1, archive.data(), archive.size());
  return archive.size() + 1;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  static const fuzz::MemoryFile file;
  static const std::array paths = {file.path(".gz"), file.path(".zst")};
  const std::string archive = fuzz::text_of(data + 1, size - 1);
  const bool gzip = is_gzip(data[0]);
  const auto text = unpacked(archive, gzip);
  if (!fuzz::is_thorough(data, size)) return 0;
  const DataSection settings = settings_of(data[0]);
  file.fill(archive);
  const std::string packed = fingerprint_of(paths[gzip ? 0 : 1], settings);
  if (!text) {
    fuzz::claim(packed.empty(), "a damaged archive is no corpus");
    return 0;
  }
  file.fill(*text);
  fuzz::claim(packed == fingerprint_of(file.path(), settings), "packed or not, it is one corpus");
  return 0;
}
