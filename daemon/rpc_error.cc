#include "daemon/rpc_error.h"

#include "model/base/plain_text.h"

namespace traind {
namespace {

constexpr std::size_t kLongestMessage = 2000;  // bytes; in the header some take three each

}  // namespace

grpc::StatusCode rpc_code(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::kConfig:
    case ErrorKind::kData:
      return grpc::StatusCode::INVALID_ARGUMENT;
    case ErrorKind::kNoSpace:
    case ErrorKind::kNoMemory:
      return grpc::StatusCode::RESOURCE_EXHAUSTED;
    case ErrorKind::kCorrupt:
      return grpc::StatusCode::DATA_LOSS;
    case ErrorKind::kDevice:
    case ErrorKind::kState:
      return grpc::StatusCode::FAILED_PRECONDITION;
    case ErrorKind::kDiverged:
      return grpc::StatusCode::ABORTED;
    case ErrorKind::kNotFound:
      return grpc::StatusCode::NOT_FOUND;
    case ErrorKind::kCancelled:
      return grpc::StatusCode::UNAVAILABLE;
    case ErrorKind::kDeviceLost:
    case ErrorKind::kIo:
    case ErrorKind::kInternal:
      break;
  }
  return grpc::StatusCode::INTERNAL;
}

grpc::Status rpc_status(const Error& error) {
  std::string message = one_line(error.what());
  if (message.size() > kLongestMessage) {
    // Whole characters, or it would no longer be UTF-8.
    std::size_t end = kLongestMessage;
    while ((static_cast<unsigned char>(message[end]) & 0xC0) == 0x80) --end;
    message.resize(end);
    message += " ...";
  }
  return {rpc_code(error.kind()), message};
}

}  // namespace traind
