// One layer of one shape as cuDNN knows it, by one of its algorithms and in one arithmetic.
// Queues on the context's stream; owned by what made it, used by the device's thread.
//
// Nothing here throws on cuDNN's answers, because "not supported" is a common one: every call
// says which of cuDNN's own calls failed and how, and the caller decides.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "model/backend/cuda/gpu/context.h"

namespace traind::cuda {

struct RnnKind {
  cudnnRNNAlgo_t algorithm = CUDNN_RNN_ALGO_STANDARD;
  cudnnMathType_t math = CUDNN_FMA_MATH;
};
// "standard", "persist_static_fma" and so on.
std::string name_of(const RnnKind& kind, Precision precision);

struct RnnAnswer {
  cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
  const char* call = "";
  bool fine() const { return is_fine(status); }
};

// "LSTM [T 40, B 128, I 512, H 512, bf16]", as errors have it.
std::string words_of(const LayerShape& shape, Precision precision);

class Rnn {
 public:
  Rnn(Context& context, const LayerShape& shape, const RnnKind& kind);
  Rnn(const Rnn&) = delete;
  Rnn& operator=(const Rnn&) = delete;

  // What came of making it. Unless that is fine nothing else may be called.
  const RnnAnswer& made() const { return made_; }
  std::size_t weight_bytes() const { return weight_bytes_; }
  std::size_t workspace_bytes() const { return workspace_bytes_; }
  std::size_t reserve_bytes() const { return reserve_bytes_; }  // 0 without training
  // `weights` is any device memory of weight_bytes().
  RnnAnswer find(void* weights, Layer::Places& places) const;

  RnnAnswer forward(const LayerForward& call) const;
  RnnAnswer backward(const LayerForward& forward, const LayerBackward& call) const;

 private:
  using RnnDescriptor = Owned<cudnnRNNDescriptor_t, &cudnnDestroyRNNDescriptor>;
  using DropoutDescriptor = Owned<cudnnDropoutDescriptor_t, &cudnnDestroyDropoutDescriptor>;
  using DataDescriptor = Owned<cudnnRNNDataDescriptor_t, &cudnnDestroyRNNDataDescriptor>;
  using TensorDescriptor = Owned<cudnnTensorDescriptor_t, &cudnnDestroyTensorDescriptor>;

  RnnAnswer make(const RnnKind& kind);
  RnnAnswer describe_layer(const RnnKind& kind);
  RnnAnswer describe_data();
  RnnAnswer measure();
  RnnAnswer find_one(void* weights, int id, std::size_t columns, std::size_t& matrix,
                     std::size_t& bias) const;

  Context& context_;
  const LayerShape shape_;
  const Type type_;
  DropoutDescriptor dropout_;
  RnnDescriptor layer_;
  DataDescriptor x_;
  DataDescriptor y_;
  TensorDescriptor state_;
  std::size_t weight_bytes_ = 0;
  std::size_t workspace_bytes_ = 0;
  std::size_t reserve_bytes_ = 0;
  RnnAnswer made_;
};

}  // namespace traind::cuda
