#include "model/backend/cuda/recorder.h"

#include <algorithm>

#include "model/base/error.h"
#include "model/base/xxh64.h"

namespace traind::cuda {
namespace {

constexpr std::size_t kFirstCapacity = std::size_t{1} << 20;
constexpr std::size_t kStagings = 3;
// More kinds of work than this are not steps of few shapes; graphs would only fill memory.
constexpr std::size_t kMostKnown = 512;
constexpr std::size_t kAlignment = 16;

}  // namespace

Recorder::Recorder(Device& device) : device_(device), staging_(kStagings) {
  room_for(kFirstCapacity);
}

Recorder::~Recorder() {
  for (const Staging& one : staging_) device_.release_shared(one.memory);
  device_.release(on_device_);
}

void Recorder::room_for(std::size_t bytes) {
  // Every staged piece may need some bytes more to be aligned.
  const std::size_t wanted = staged_ + bytes + 64 * kAlignment;
  if (wanted <= capacity_) return;
  flush();
  const std::size_t capacity = std::max(bytes + 64 * kAlignment, 2 * capacity_);
  for (Staging& one : staging_) {
    device_.release_shared(one.memory);
    one = {};
    one.memory = static_cast<char*>(device_.allocate_shared(capacity));
  }
  device_.release(on_device_);
  on_device_ = nullptr;
  on_device_ = static_cast<char*>(device_.allocate(capacity));
  capacity_ = capacity;
}

const void* Recorder::stage_bytes(const void* values, std::size_t bytes) {
  if (staged_ == 0) device_.wait_for(staging_[turn_].busy_until);
  const std::size_t at = (staged_ + kAlignment - 1) / kAlignment * kAlignment;
  if (at + bytes > capacity_) {
    throw Error(ErrorKind::kInternal, "recorder: more was staged than there was room asked for");
  }
  if (bytes > 0) std::memcpy(staging_[turn_].memory + at, values, bytes);
  staged_ = at + bytes;
  return on_device_ + at;
}

void Recorder::identify(const char* what, const void* bytes, std::size_t count) {
  identity_ = xxh64(what, std::strlen(what), identity_);
  identity_ = xxh64(bytes, count, identity_);
}

void Recorder::identify_address(const char* what, const void* address) {
  const auto number = reinterpret_cast<std::uintptr_t>(address);
  identify(what, &number, sizeof number);
}

void Recorder::multiply(Product product) {
  clear_padding(product);
  identify("multiply", &product, sizeof product);
  work_.push_back([product](Device& device) { device.multiply(product); });
}

void Recorder::zero(void* at, std::size_t bytes) {
  identify_address("zero", at);
  identify("zero", &bytes, sizeof bytes);
  work_.push_back([at, bytes](Device& device) { device.zero(at, bytes); });
}

void Recorder::forward(const Layer& layer, const LayerForward& call) {
  const Layer* const which = &layer;
  identify_address("forward", which);
  identify("forward", &call, sizeof call);
  work_.push_back([which, call](Device& device) { device.forward(*which, call); });
}

void Recorder::backward(const Layer& layer, const LayerForward& forward,
                        const LayerBackward& call) {
  const Layer* const which = &layer;
  identify_address("backward", which);
  identify("backward", &forward, sizeof forward);
  identify("backward", &call, sizeof call);
  work_.push_back(
      [which, forward, call](Device& device) { device.backward(*which, forward, call); });
}

void Recorder::run_all() {
  for (const auto& one : work_) one(device_);
}

std::int64_t Recorder::flush() {
  if (staged_ > 0) device_.copy_in(on_device_, staging_[turn_].memory, staged_);
  if (!work_.empty()) {
    if (known_.size() >= kMostKnown && !known_.contains(identity_)) forget_graphs();
    const auto [place, first_time] = known_.try_emplace(identity_);
    Known& known = place->second;
    if (first_time) {
      run_all();
      ++statistics_.run;
    } else {
      if (!known.captured) {
        device_.begin_graph();
        run_all();
        known.graph = device_.end_graph();
        known.captured = true;
        ++statistics_.captured;
      } else {
        ++statistics_.replayed;
      }
      device_.replay(known.graph);
    }
  }
  work_.clear();
  identity_ = 0;
  const std::int64_t mark = device_.mark();
  if (staged_ > 0) {
    staging_[turn_].busy_until = mark;
    turn_ = (turn_ + 1) % staging_.size();
    staged_ = 0;
  }
  return mark;
}

void Recorder::let_go() noexcept {
  try {
    flush();
  } catch (const Error&) {
    work_.clear();  // a lost device says so again in the next call
  }
}

void Recorder::forget_graphs() {
  device_.wait();
  known_.clear();
}

}  // namespace traind::cuda
