// Messages on a pipe, each preceded by its length as four little-endian bytes (docs/worker.md).
//
// The bytes come from another process and are not trusted: a length above the limit is
// Error(kCorrupt), before any memory is taken for it. Values; one thread at a time.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace traind {

inline constexpr std::size_t kFrameLimit = std::size_t{16} << 20;

class FrameReader {
 public:
  explicit FrameReader(std::size_t limit = kFrameLimit) : limit_(limit) {}

  void append(std::string_view bytes) { buffer_.append(bytes); }
  // The next whole message, or nothing until more bytes come. Throws Error(kCorrupt).
  std::optional<std::string> next();
  // True when the bytes so far end inside a message.
  bool torn() const { return position_ < buffer_.size(); }

 private:
  std::size_t limit_;
  std::string buffer_;
  std::size_t position_ = 0;  // of the first byte not handed out yet
};

// The message with its length before it.
std::string framed(std::string_view message);

}  // namespace traind
