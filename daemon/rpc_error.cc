#include "daemon/rpc_error.h"

namespace traind {
namespace {

constexpr std::size_t kLongestMessage = 2000;

}  // namespace

grpc::StatusCode rpc_code(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::kConfig:
    case ErrorKind::kData:
      return grpc::StatusCode::INVALID_ARGUMENT;
    case ErrorKind::kNoSpace:
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
  std::string message = error.what();
  if (message.size() > kLongestMessage) message = message.substr(0, kLongestMessage) + " ...";
  return {rpc_code(error.kind()), message};
}

}  // namespace traind
