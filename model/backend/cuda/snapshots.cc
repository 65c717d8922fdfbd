#include "model/backend/cuda/snapshots.h"

namespace traind::cuda {

class Snapshots::Taken : public Snapshot {
 public:
  Taken(Snapshots& owner, const Place& place, std::size_t bytes)
      : owner_(owner),
        place_(place),
        bytes_(bytes),
        mark_(owner.device_.copy_out_beside(place.on_host, place.on_device, bytes)) {}
  ~Taken() override {
    // The next snapshot writes to the same memory, so this one's copy has to be over.
    try {
      owner_.device_.wait_beside(mark_);
      owner_.free_.push_back(place_);
    } catch (...) {
      owner_.give_up(place_);  // a lost device says so again in the next call
    }
  }
  Taken(const Taken&) = delete;
  Taken& operator=(const Taken&) = delete;

  std::span<const float> wait() override {
    owner_.device_.wait_beside(mark_);
    return {reinterpret_cast<const float*>(place_.on_host), bytes_ / sizeof(float)};
  }

 private:
  Snapshots& owner_;
  const Place place_;
  const std::size_t bytes_;
  const std::int64_t mark_;
};

Snapshots::~Snapshots() {
  for (const Place& place : free_) give_up(place);
}

void Snapshots::give_up(const Place& place) noexcept {
  device_.release(place.on_device);
  device_.release_shared(place.on_host);
}

Snapshots::Place Snapshots::place_for(std::size_t bytes) {
  if (!free_.empty()) {
    const Place place = free_.back();
    free_.pop_back();
    if (place.bytes >= bytes) return place;
    give_up(place);
  }
  Place place;
  place.bytes = bytes;
  place.on_host = static_cast<char*>(device_.allocate_shared(bytes));
  try {
    place.on_device = static_cast<char*>(device_.allocate(bytes));
  } catch (...) {
    device_.release_shared(place.on_host);
    throw;
  }
  return place;
}

std::unique_ptr<Snapshot> Snapshots::take(std::span<const Tensor> tensors) {
  std::size_t bytes = 0;
  for (const Tensor& tensor : tensors) bytes += tensor.size * sizeof(float);
  const Place place = place_for(bytes);
  char* to = place.on_device;
  for (const Tensor& tensor : tensors) {
    device_.copy(to, tensor.data, tensor.size * sizeof(float));
    to += tensor.size * sizeof(float);
  }
  return std::make_unique<Taken>(*this, place, bytes);
}

}  // namespace traind::cuda
