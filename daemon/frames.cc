#include "daemon/frames.h"

#include <cstdint>

#include "model/base/error.h"

namespace traind {
namespace {

constexpr std::size_t kLengthBytes = 4;

}  // namespace

std::optional<std::string> FrameReader::next() {
  const std::size_t left = buffer_.size() - position_;
  if (left < kLengthBytes) {
    buffer_.erase(0, position_);
    position_ = 0;
    return std::nullopt;
  }
  std::size_t length = 0;
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    length |= std::size_t{static_cast<std::uint8_t>(buffer_[position_ + i])} << (8 * i);
  }
  if (length > limit_) {
    throw Error(ErrorKind::kCorrupt, "a message of " + std::to_string(length) +
                                         " bytes is announced; at most " + std::to_string(limit_) +
                                         " are allowed");
  }
  if (left - kLengthBytes < length) {
    buffer_.erase(0, position_);
    position_ = 0;
    return std::nullopt;
  }
  std::string message = buffer_.substr(position_ + kLengthBytes, length);
  position_ += kLengthBytes + length;
  return message;
}

std::string framed(std::string_view message) {
  std::string bytes;
  bytes.reserve(kLengthBytes + message.size());
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    bytes.push_back(static_cast<char>((message.size() >> (8 * i)) & 0xFF));
  }
  bytes.append(message);
  return bytes;
}

}  // namespace traind
