// The one exception type of the project: a kind for programs, a sentence for people.
//
// A value; safe on any thread. The message says what failed, on which file or tensor, and what
// to do about it. Kinds become exit codes (exit_code) and gRPC codes (daemon/rpc_error.h).
#pragma once

#include <exception>
#include <stdexcept>
#include <string>

namespace traind {

enum class ErrorKind {
  kConfig,      // run file or daemon file cannot work as written
  kData,        // a corpus or vocabulary is unusable
  kIo,          // the operating system refused a read or a write
  kNoSpace,     // disk or inodes are used up
  kNoMemory,    // the system gave no more memory, or no more threads
  kCorrupt,     // a file's content contradicts its own checksum or format
  kDevice,      // the compute device is missing or refused a request
  kDeviceLost,  // the compute device failed for good: only a new process can use it again
  kDiverged,    // loss or gradient norm is not finite
  kNotFound,    // no such run, checkpoint or mail
  kState,       // the operation does not fit the present state
  kCancelled,   // asked to stop
  kInternal,    // a bug of ours
};

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

// Stable lower-case name, as in logs and JSON: "config", "data", "io", ...
const char* name_of(ErrorKind kind) noexcept;
// The inverse; an unknown name is kInternal.
ErrorKind error_kind_from_name(const std::string& name) noexcept;

// Exit status of a program that ends with this error: sysexits(3) where one fits.
// The daemon does not start a worker again after kConfig (78) or kData (65).
int exit_code(ErrorKind kind) noexcept;

// Error(kIo or kNoSpace) for a failed system call: "WHAT: strerror". Reads `errno_value`.
Error system_error(const std::string& what, int errno_value);

// Whatever was caught, as an Error: one stays what it is, std::bad_alloc and a thread that could
// not be started become kNoMemory, the rest kInternal.
Error error_of(const std::exception& caught);

}  // namespace traind
