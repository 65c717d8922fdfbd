// How trainctl ends: the exit codes users script against, and the one table from gRPC's codes.
//
// Values and pure functions; safe on any thread; nothing here waits. `Failure` is the client's one
// exception: a code for programs, a sentence for people. main() prints it and returns the code.
#pragma once

#include <grpcpp/support/status_code_enum.h>

#include <stdexcept>
#include <string>

namespace traind {

enum class Exit : int {
  kOk = 0,
  kFailure = 1,
  kUsage = 2,
  kUnreachable = 3,
  kNotAllowed = 4,
  kNotFound = 5,
  kWrongState = 6,
  kRunFailed = 7,
  kTimeout = 124,
  kInterrupted = 130,
};

class Failure : public std::runtime_error {
 public:
  Failure(Exit code, const std::string& sentence) : std::runtime_error(sentence), code_(code) {}
  Exit code() const noexcept { return code_; }

 private:
  Exit code_;
};

// The exit code of an RPC that ended with `code`. Total: an unknown code is kFailure.
Exit exit_of(grpc::StatusCode code) noexcept;

// The text of `trainctl help exit-codes`.
std::string exit_codes_help();

}  // namespace traind
