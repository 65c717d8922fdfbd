// What a run may choose of the arithmetic, by name. Plain values, apart from backend.h so that who
// only reads a run file need not know what a device is.
#pragma once

namespace traind {

// The recurrence, as torch.nn.LSTM and torch.nn.GRU define it. A GRU's candidate has the reset gate
// after the product: n = tanh(W_in x + b_in + r (W_hn h + b_hn)); h' = (1 - z) n + z h.
enum class CellKind { kLstm, kGru };

constexpr int gates_of(CellKind cell) { return cell == CellKind::kLstm ? 4 : 3; }

// Each as the class of torch.optim that has its name.
//   kAdam   Kingma and Ba, 2015, algorithm 1, with bias correction
//   kAdamW  the same with decoupled weight decay (Loshchilov and Hutter, 2019):
//           p -= rate * decay * p
//   kSgd    with momentum (dampening 0, no Nesterov): m = momentum * m + g + decay * p; p -= rate *
//   m
enum class Optimizer { kAdam, kAdamW, kSgd };

}  // namespace traind
