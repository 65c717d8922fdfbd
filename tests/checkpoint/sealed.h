// Files that only a forger would write: any header text, with a seal that fits.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "model/base/xxh64.h"

namespace traind {

inline constexpr std::string_view kSealMark = "\"traind.header_xxh64\":\"";

// Computes the seal anew if the text has a place for it.
inline void seal(std::string& header) {
  const std::size_t found = header.find(kSealMark);
  const std::size_t at = found + kSealMark.size();
  if (found == std::string::npos || header.size() < at + 16) return;
  header.replace(at, 16, 16, '0');
  header.replace(at, 16, hex64(xxh64(header.data(), header.size())));
}

// Length, sealed header, data.
inline std::string sealed_file(std::string header, std::string_view data) {
  seal(header);
  const std::uint64_t length = header.size();
  std::string file(sizeof length, '\0');
  std::memcpy(file.data(), &length, sizeof length);
  return file + header + std::string(data);
}

}  // namespace traind
