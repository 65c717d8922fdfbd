// Luong attention on a GPU, forward and backward, over dense batches whose padding is kept at 0.
// Called on the backend's thread; records, does not wait. Throws Error(kDevice) on arguments that
// contradict each other.
#pragma once

#include <memory>

#include "model/backend/backend.h"
#include "model/backend/cuda/engine.h"

namespace traind::cuda {

std::unique_ptr<Tape> attention_forward(Engine& engine, const AttentionWeights& weights,
                                        const AttentionForward& call);
void attention_backward(Engine& engine, const AttentionWeights& weights,
                        const AttentionBackward& call, Tape& tape);

}  // namespace traind::cuda
