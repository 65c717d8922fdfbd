#include "model/base/error.h"

#include <array>
#include <cerrno>
#include <new>
#include <system_error>

namespace traind {
namespace {

struct Row {
  ErrorKind kind;
  const char* name;
  int exit_code;
};

// 64 usage .. 78 config: see sysexits(3). 1 is the plain failure.
constexpr std::array kRows = {
    Row{ErrorKind::kConfig, "config", 78},
    Row{ErrorKind::kData, "data", 65},
    Row{ErrorKind::kIo, "io", 74},
    Row{ErrorKind::kNoSpace, "no_space", 73},
    Row{ErrorKind::kNoMemory, "no_memory", 71},
    Row{ErrorKind::kCorrupt, "corrupt", 76},
    Row{ErrorKind::kDevice, "device", 69},
    Row{ErrorKind::kDeviceLost, "device_lost", 75},
    Row{ErrorKind::kDiverged, "diverged", 1},
    Row{ErrorKind::kNotFound, "not_found", 66},
    Row{ErrorKind::kState, "state", 1},
    Row{ErrorKind::kCancelled, "cancelled", 130},
    Row{ErrorKind::kInternal, "internal", 70},
};

const Row& row_of(ErrorKind kind) noexcept {
  for (const Row& row : kRows) {
    if (row.kind == kind) return row;
  }
  return kRows.back();
}

}  // namespace

const char* name_of(ErrorKind kind) noexcept { return row_of(kind).name; }

ErrorKind error_kind_from_name(const std::string& name) noexcept {
  for (const Row& row : kRows) {
    if (name == row.name) return row.kind;
  }
  return ErrorKind::kInternal;
}

int exit_code(ErrorKind kind) noexcept { return row_of(kind).exit_code; }

Error system_error(const std::string& what, int errno_value) {
  const bool full = errno_value == ENOSPC || errno_value == EDQUOT;
  return {full ? ErrorKind::kNoSpace : ErrorKind::kIo,
          what + ": " + std::generic_category().message(errno_value)};
}

Error error_of(const std::exception& caught) {
  if (const auto* error = dynamic_cast<const Error*>(&caught)) return *error;
  if (dynamic_cast<const std::bad_alloc*>(&caught) != nullptr) {
    return {ErrorKind::kNoMemory, "out of memory: the system gave no more"};
  }
  const auto* refused = dynamic_cast<const std::system_error*>(&caught);
  if (refused != nullptr && (refused->code() == std::errc::resource_unavailable_try_again ||
                             refused->code() == std::errc::not_enough_memory)) {
    return {ErrorKind::kNoMemory, std::string("out of memory, or of threads: ") + caught.what()};
  }
  return {ErrorKind::kInternal, caught.what()};
}

}  // namespace traind
