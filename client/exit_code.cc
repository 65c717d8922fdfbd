#include "client/exit_code.h"

#include <array>
#include <utility>

namespace traind {

namespace {

constexpr std::array<std::pair<grpc::StatusCode, Exit>, 17> kExits = {{
    {grpc::StatusCode::OK, Exit::kOk},
    {grpc::StatusCode::CANCELLED, Exit::kInterrupted},
    {grpc::StatusCode::UNKNOWN, Exit::kFailure},
    {grpc::StatusCode::INVALID_ARGUMENT, Exit::kFailure},
    {grpc::StatusCode::DEADLINE_EXCEEDED, Exit::kTimeout},
    {grpc::StatusCode::NOT_FOUND, Exit::kNotFound},
    {grpc::StatusCode::ALREADY_EXISTS, Exit::kWrongState},
    {grpc::StatusCode::PERMISSION_DENIED, Exit::kNotAllowed},
    {grpc::StatusCode::UNAUTHENTICATED, Exit::kNotAllowed},
    {grpc::StatusCode::RESOURCE_EXHAUSTED, Exit::kFailure},
    {grpc::StatusCode::FAILED_PRECONDITION, Exit::kWrongState},
    {grpc::StatusCode::ABORTED, Exit::kFailure},
    {grpc::StatusCode::OUT_OF_RANGE, Exit::kFailure},
    {grpc::StatusCode::UNIMPLEMENTED, Exit::kFailure},
    {grpc::StatusCode::INTERNAL, Exit::kFailure},
    {grpc::StatusCode::UNAVAILABLE, Exit::kUnreachable},
    {grpc::StatusCode::DATA_LOSS, Exit::kFailure},
}};

}  // namespace

Exit exit_of(grpc::StatusCode code) noexcept {
  for (const auto& [status, exit] : kExits) {
    if (status == code) return exit;
  }
  return Exit::kFailure;
}

std::string exit_codes_help() {
  return "Exit codes of trainctl:\n"
         "    0  ok\n"
         "    1  failure: what was asked for could not be done; the sentence on stderr says why\n"
         "    2  usage: the command line cannot be understood\n"
         "    3  traind cannot be reached\n"
         "    4  not allowed\n"
         "    5  no such run, checkpoint or mail\n"
         "    6  wrong state, e.g. resume of a run that is running\n"
         "    7  the run failed (status --exit-code, watch, stop --wait),\n"
         "       or ended without completing, stopped included (wait)\n"
         "  124  timeout\n"
         "  130  interrupted\n";
}

}  // namespace traind
