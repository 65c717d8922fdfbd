// A stack of recurrent layers on a GPU: layer by layer and direction by direction through Layer,
// which knows dense batches in one direction only. Called on the backend's thread; records, does
// not wait. Throws Error(kDevice) on arguments that contradict each other.
//
// Why dense: cuDNN's persistent kernels, the fast ones, take no lengths of single sentences, and
// graphs could not change them. So both directions run forwards (the second over flipped
// sentences), all T steps run for every sentence, and padding is made harmless: outputs past a
// sentence's end are ignored, the last h is read at the true end, and its gradient enters there, so
// that the gradients of all padding steps are exactly 0. To a GRU that is all. An LSTM's last c is
// given out after T steps only: each of its inputs has one more column, 1 in the padding, whose
// weight pushes the input gate to exactly 0 and the forget gate to exactly 1. The cell state then
// stays put to the end, and its gradient comes back unchanged. A batch without padding has no such
// column.
#pragma once

#include <memory>

#include "model/backend/cuda/engine.h"

namespace traind::cuda {

std::unique_ptr<Tape> rnn_forward(Engine& engine, const RnnStack& stack, const RnnForward& call);
void rnn_backward(Engine& engine, const RnnStack& stack, const RnnBackward& call, Tape& tape);

}  // namespace traind::cuda
