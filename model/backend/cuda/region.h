// Device memory for the intermediate results of one kind of call, laid out anew for every batch
// and allocated once for the largest.
//
// Owned by the backend's thread. A structure says in `lay_out(Carver&)` which arrays it wants; it
// is asked twice, first for the size and then with the memory.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "model/backend/cuda/device.h"

namespace traind::cuda {

class Carver {
 public:
  explicit Carver(void* memory = nullptr) : memory_(static_cast<char*>(memory)) {}

  void* bytes(std::size_t count) {
    char* const at = memory_ == nullptr ? nullptr : memory_ + used_;
    used_ += (count + 255) / 256 * 256;  // what cudaMalloc aligns to
    return at;
  }
  template <class T>
  T* take(std::size_t count) {
    return static_cast<T*>(bytes(count * sizeof(T)));
  }
  Array array(Type type, std::size_t count) { return {bytes(count * size_of(type)), type, 0}; }
  std::size_t used() const { return used_; }

 private:
  char* memory_;
  std::size_t used_ = 0;
};

class Region {
 public:
  explicit Region(Device& device) : device_(device) {}
  ~Region() { device_.release(memory_); }
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  bool holds(std::size_t bytes) const { return bytes <= bytes_; }
  // The old memory goes first, so that old and new need not fit side by side.
  void grow(std::size_t bytes) {
    device_.release(memory_);
    memory_ = nullptr;
    bytes_ = 0;
    memory_ = device_.allocate(bytes);
    bytes_ = bytes;
  }
  void* memory() const { return memory_; }

 private:
  Device& device_;
  void* memory_ = nullptr;
  std::size_t bytes_ = 0;
};

// Regions for what several calls in flight need at once, such as tapes. Last given, first taken:
// steps that ask in the same order get the same memory, and so do their graphs.
class RegionPool {
 public:
  explicit RegionPool(Device& device) : device_(device) {}
  Region* take() {
    if (free_.empty()) {
      all_.push_back(std::make_unique<Region>(device_));
      free_.push_back(all_.back().get());
    }
    Region* const region = free_.back();
    free_.pop_back();
    return region;
  }
  void give(Region* region) { free_.push_back(region); }

 private:
  Device& device_;
  std::vector<std::unique_ptr<Region>> all_;
  std::vector<Region*> free_;
};

}  // namespace traind::cuda
