// Counts what is allocated. Owned by the test; must not outlive the backend it wraps.
#pragma once

#include <memory>

#include "tests/nn/forwarding_backend.h"

namespace traind {

class CountingBackend : public ForwardingBackend {
 public:
  using ForwardingBackend::ForwardingBackend;
  int allocations() const { return allocations_; }

  std::unique_ptr<Buffer> allocate(std::size_t floats) override {
    ++allocations_;
    return ForwardingBackend::allocate(floats);
  }

 private:
  int allocations_ = 0;
};

}  // namespace traind
