#include "model/data/unpack.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <vector>

#include "model/base/error.h"

#ifdef TRAIND_ZLIB
#include <zlib.h>
#endif
#ifdef TRAIND_ZSTD
#include <zstd.h>
#endif

namespace traind {
namespace {

#if defined(TRAIND_ZLIB) || defined(TRAIND_ZSTD)
constexpr std::size_t kPiece = std::size_t{1} << 16;

[[noreturn]] void refuse(const std::string& path, const std::string& why, const char* test) {
  throw Error(ErrorKind::kData,
              path + ": the archive " + why + "; test it with " + test + " and fetch it again");
}
#endif

#if !defined(TRAIND_ZLIB) || !defined(TRAIND_ZSTD)
[[noreturn]] void refuse_unread(const std::string& path, const char* library) {
  throw Error(ErrorKind::kData, path + ": this build cannot read it, as it was made without " +
                                    library + "; unpack the file first or build with the library");
}
#endif

}  // namespace

#ifdef TRAIND_ZLIB

void unpack_gzip(std::string_view packed, const std::string& path, const TakePiece& take) {
  constexpr const char* kTest = "gzip -t";
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) {  // 16: gzip's wrapping alone
    throw Error(ErrorKind::kIo, path + ": cannot be unpacked: zlib has no memory");
  }
  const std::unique_ptr<z_stream, int (*)(z_stream*)> owner(&stream, inflateEnd);
  std::vector<char> piece(kPiece);
  bool whole = false;  // a member has ended and none has begun
  while (!whole || !packed.empty()) {
    // zlib counts in 32 bits: a large archive goes in by parts.
    const std::size_t give = std::min<std::size_t>(packed.size(), std::size_t{1} << 30);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    stream.avail_in = static_cast<uInt>(give);
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = static_cast<uInt>(piece.size());
    const int status = inflate(&stream, Z_NO_FLUSH);
    const std::size_t made = piece.size() - stream.avail_out;
    const std::size_t used = give - stream.avail_in;
    if (status == Z_BUF_ERROR || (status == Z_OK && made == 0 && used == 0)) {
      refuse(path, "is cut off", kTest);
    }
    if (status != Z_OK && status != Z_STREAM_END) refuse(path, "is damaged", kTest);
    packed.remove_prefix(used);
    if (made > 0) take({piece.data(), made});
    whole = status == Z_STREAM_END;
    if (whole) inflateReset(&stream);
  }
}

#else

void unpack_gzip(std::string_view, const std::string& path, const TakePiece&) {
  refuse_unread(path, "zlib");
}

#endif

#ifdef TRAIND_ZSTD

namespace {

constexpr std::size_t kLargeArchive = std::size_t{1} << 20;
constexpr int kUsualWindowLog = 27;  // the library's own limit: 128 MiB

}  // namespace

void unpack_zstd(std::string_view packed, const std::string& path, const TakePiece& take) {
  constexpr const char* kTest = "zstd -t";
  const std::unique_ptr<ZSTD_DStream, std::size_t (*)(ZSTD_DStream*)> stream(ZSTD_createDStream(),
                                                                             ZSTD_freeDStream);
  if (!stream) throw Error(ErrorKind::kIo, path + ": cannot be unpacked: libzstd has no memory");
  // Memory is taken as a frame asks for it. One made with zstd --long=31 may ask for 2 GiB, which
  // is believed of a large archive only.
  const bool large = packed.size() >= kLargeArchive;
  ZSTD_DCtx_setParameter(stream.get(), ZSTD_d_windowLogMax, large ? 31 : kUsualWindowLog);
  std::vector<char> piece(kPiece);
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  std::size_t hint = 1;  // 0 = a frame has ended and none has begun
  bool full = true;      // the last piece was full: more may wait inside
  while (in.pos < in.size || (hint != 0 && full)) {
    ZSTD_outBuffer out{piece.data(), piece.size(), 0};
    hint = ZSTD_decompressStream(stream.get(), &out, &in);
    if (ZSTD_isError(hint) != 0) {
      refuse(path, std::string("is damaged (") + ZSTD_getErrorName(hint) + ")", kTest);
    }
    full = out.pos == out.size;
    if (out.pos > 0) take({piece.data(), out.pos});
  }
  if (hint != 0) refuse(path, "is cut off", kTest);
}

#else

void unpack_zstd(std::string_view, const std::string& path, const TakePiece&) {
  refuse_unread(path, "libzstd");
}

#endif

}  // namespace traind
