// A handle of a C library that is given back with its owner. Moves, does not copy.
#pragma once

#include <utility>

namespace traind::cuda {

template <class Handle, auto kDestroy>
class Owned {
 public:
  Owned() = default;
  explicit Owned(Handle handle) : handle_(handle) {}
  ~Owned() { reset(); }
  Owned(Owned&& other) noexcept : handle_(std::exchange(other.handle_, Handle{})) {}
  Owned& operator=(Owned&& other) noexcept {
    if (this != &other) {
      reset();
      handle_ = std::exchange(other.handle_, Handle{});
    }
    return *this;
  }

  Handle get() const { return handle_; }
  // For the call that makes the handle.
  Handle* out() {
    reset();
    return &handle_;
  }
  // A failure while giving back has no one to tell: the device says it again in the next call.
  void reset() noexcept {
    if (handle_ != Handle{}) static_cast<void>(kDestroy(std::exchange(handle_, Handle{})));
  }

 private:
  Handle handle_{};
};

}  // namespace traind::cuda
