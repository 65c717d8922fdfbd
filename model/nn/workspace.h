// Device memory for the activations of one batch, kept from batch to batch.
//
// Owned by the model, used by its thread. A place grows to the largest batch it has seen and then
// stays: after the first long batch nothing is allocated, and addresses no longer change.
#pragma once

#include <array>
#include <cstddef>
#include <memory>

#include "model/backend/backend.h"

namespace traind {

// T target steps, S source steps, B sentences, L layers, M memory width.
enum class Place {
  kMemory,       // [S,B,M] what the encoder says of each source token
  kStateH,       // [L,B,M] the encoder's last state, the decoder's first
  kStateC,       // [L,B,M]
  kDecoded,      // [T,B,M] output of the decoder's LSTM
  kAttended,     // [T,B,M] the same after attention
  kHiddenGrad,   // [T,B,M] gradient of what the projection reads
  kDecodedGrad,  // [T,B,M] gradient of kDecoded, where attention lies between
  kMemoryGrad,   // [S,B,M]
  kStateHGrad,   // [L,B,M]
  kStateCGrad,   // [L,B,M]
  kPlaces
};

class Workspace {
 public:
  explicit Workspace(Backend& backend) : backend_(backend) {}

  // Content is undefined. Valid until the next call for the same place that asks for more.
  Tensor at(Place place, std::size_t floats) {
    std::unique_ptr<Buffer>& buffer = buffers_[static_cast<std::size_t>(place)];
    if (!buffer || buffer->tensor().size < floats) {
      buffer.reset();  // first, so that old and new need not fit side by side
      buffer = backend_.allocate(floats);
    }
    return buffer->tensor().part(0, floats);
  }

 private:
  Backend& backend_;
  std::array<std::unique_ptr<Buffer>, static_cast<std::size_t>(Place::kPlaces)> buffers_;
};

}  // namespace traind
