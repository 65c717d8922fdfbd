// The way to traind: one channel, one deadline for each call, one sentence for each error.
//
// Made once in main(), used from any thread. call() waits for the answer, at most until the
// deadline, and throws Failure; nothing is sent before the first call. A daemon that is not there
// is known at once, without waiting for a back-off.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>

#include "client/address.h"
#include "client/exit_code.h"
#include "traind/v1/training.grpc.pb.h"

namespace traind {

// How long the daemon may rightly take: StartRun reads a whole corpus, Translate loads a model.
enum class Patience { kShort, kLong };

class Connection {
 public:
  using Stub = v1::TrainingService::Stub;

  // `timeout_seconds` 0 = the usual: 10 s, and 600 s where patience is long.
  Connection(Address address, double timeout_seconds);

  template <class Request, class Response>
  Response call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                const Request& request, Patience patience = Patience::kShort) {
    grpc::ClientContext context;
    context.set_deadline(deadline(patience));
    Response response;
    const grpc::Status status = (stub_.get()->*method)(&context, request, &response);
    if (!status.ok()) throw failure(status);
    return response;
  }

  Stub& stub() { return *stub_; }
  const Address& address() const noexcept { return address_; }

  // The sentence and the code for a call that ended with `status`, which is not OK.
  Failure failure(const grpc::Status& status) const;

 private:
  std::chrono::system_clock::time_point deadline(Patience patience) const;
  Failure unreachable(const std::string& message) const;

  const Address address_;
  const double timeout_seconds_;
  const std::unique_ptr<Stub> stub_;
};

}  // namespace traind
