// Copies of parameters for checkpoints. Training waits for a copy within the device only, which
// takes microseconds; the way to the host runs beside the next steps.
//
// Owned by the backend's thread; a snapshot's wait() may be called on another.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "model/backend/cuda/device.h"

namespace traind::cuda {

class Snapshots {
 public:
  explicit Snapshots(Device& device) : device_(device) {}
  ~Snapshots();
  Snapshots(const Snapshots&) = delete;
  Snapshots& operator=(const Snapshots&) = delete;

  // Must not outlive this object.
  std::unique_ptr<Snapshot> take(std::span<const Tensor> tensors);

 private:
  class Taken;
  // A place for one snapshot, kept for the next.
  struct Place {
    char* on_device = nullptr;
    char* on_host = nullptr;
    std::size_t bytes = 0;
  };
  Place place_for(std::size_t bytes);
  void give_up(const Place& place) noexcept;

  Device& device_;
  std::vector<Place> free_;
};

}  // namespace traind::cuda
