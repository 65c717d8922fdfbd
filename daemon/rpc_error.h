// From our errors to gRPC's, in one table. Pure functions; safe on any thread.
#pragma once

#include <grpcpp/support/status.h>

#include "model/base/error.h"

namespace traind {

grpc::StatusCode rpc_code(ErrorKind kind) noexcept;

// The message becomes one line of plain text, cut so that it fits into a header.
grpc::Status rpc_status(const Error& error);

}  // namespace traind
