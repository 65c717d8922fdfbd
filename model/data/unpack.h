// Unpackers of single-file archives: gzip (RFC 1952) by zlib, Zstandard (RFC 8878) by libzstd.
//
// Both read archives made of several parts put one behind another. A build without the library
// has the function too: it throws. They wait only for `take`.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace traind {

// Receives the next piece of the unpacked text; valid until it returns. What it throws is passed
// on.
using TakePiece = std::function<void(std::string_view piece)>;

// `path` names the archive in errors. Throws Error(kData) for a damaged archive.
void unpack_gzip(std::string_view packed, const std::string& path, const TakePiece& take);
void unpack_zstd(std::string_view packed, const std::string& path, const TakePiece& take);

}  // namespace traind
