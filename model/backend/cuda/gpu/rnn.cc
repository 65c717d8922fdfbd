#include "model/backend/cuda/gpu/rnn.h"

#include <array>

// Ends the function with cuDNN's answer where that is not fine, naming the call.
#define TRAIND_TRY(call, ...)                                                                     \
  do {                                                                                            \
    if (const cudnnStatus_t status = call(__VA_ARGS__); !is_fine(status)) return {status, #call}; \
  } while (false)

namespace traind::cuda {
namespace {

cudnnDataType_t data_type(Type type) {
  if (type == Type::kFloat) return CUDNN_DATA_FLOAT;
  return type == Type::kHalf ? CUDNN_DATA_HALF : CUDNN_DATA_BFLOAT16;
}

cudnnForwardMode_t mode_of(const LayerShape& shape) {
  return shape.training ? CUDNN_FWD_MODE_TRAINING : CUDNN_FWD_MODE_INFERENCE;
}

const char* name_of(Precision precision) {
  switch (precision) {
    case Precision::kFp32:
      return "fp32";
    case Precision::kTf32:
      return "tf32";
    case Precision::kBf16:
      return "bf16";
    case Precision::kFp16:
      return "fp16";
  }
  return "";
}

cudnnRNNMode_t cell_of(const LayerShape& shape) {
  return shape.cell == CellKind::kLstm ? CUDNN_LSTM : CUDNN_GRU;
}

// cuDNN numbers the input's matrices from 0 and the recurrent ones after them. Of an LSTM both are
// input gate, forget gate, new memory, output gate, our i f g o; of a GRU reset gate, update gate,
// new memory, our r z n. Its GRU has the reset gate after the recurrent product, as ours.
int first_recurrent(const LayerShape& shape) { return gates_of(shape.cell); }

}  // namespace

std::string name_of(const RnnKind& kind, Precision precision) {
  std::string name = "standard";
  if (kind.algorithm == CUDNN_RNN_ALGO_PERSIST_STATIC) name = "persist_static";
  if (kind.algorithm == CUDNN_RNN_ALGO_PERSIST_DYNAMIC) name = "persist_dynamic";
  if (kind.algorithm == CUDNN_RNN_ALGO_PERSIST_STATIC_SMALL_H) name = "persist_static_small_h";
  const bool could_round = precision == Precision::kTf32;
  return could_round && kind.math == CUDNN_FMA_MATH ? name + "_fma" : name;
}

std::string words_of(const LayerShape& shape, Precision precision) {
  const std::string cell = shape.cell == CellKind::kLstm ? "LSTM" : "GRU";
  return cell + " [T " + std::to_string(shape.steps) + ", B " + std::to_string(shape.batch) +
         ", I " + std::to_string(shape.input) + ", H " + std::to_string(shape.hidden) + ", " +
         name_of(precision) + (shape.training ? "]" : ", inference]");
}

Rnn::Rnn(Context& context, const LayerShape& shape, const RnnKind& kind)
    : context_(context), shape_(shape), type_(compute_type(context.options().precision)) {
  made_ = make(kind);
}

RnnAnswer Rnn::make(const RnnKind& kind) {
  RnnAnswer answer = describe_layer(kind);
  if (answer.fine()) answer = describe_data();
  if (answer.fine()) answer = measure();
  return answer;
}

RnnAnswer Rnn::describe_layer(const RnnKind& kind) {
  TRAIND_TRY(cudnnCreateDropoutDescriptor, dropout_.out());
  // Ours stands between the layers, so cuDNN's is none and needs no state.
  TRAIND_TRY(cudnnSetDropoutDescriptor, dropout_.get(), context_.dnn(), 0, nullptr, 0, 0);
  TRAIND_TRY(cudnnCreateRNNDescriptor, layer_.out());
  constexpr int kLayers = 1;
  TRAIND_TRY(cudnnSetRNNDescriptor_v8, layer_.get(), kind.algorithm, cell_of(shape_),
             CUDNN_RNN_DOUBLE_BIAS, CUDNN_UNIDIRECTIONAL, CUDNN_LINEAR_INPUT, data_type(type_),
             CUDNN_DATA_FLOAT, kind.math, shape_.input, shape_.hidden, shape_.hidden, kLayers,
             dropout_.get(), CUDNN_RNN_PADDED_IO_ENABLED);
  if (kind.algorithm == CUDNN_RNN_ALGO_PERSIST_DYNAMIC) {
    TRAIND_TRY(cudnnBuildRNNDynamic, context_.dnn(), layer_.get(), shape_.batch);
  }
  return {};
}

RnnAnswer Rnn::describe_data() {
  const std::vector<int> lengths(static_cast<std::size_t>(shape_.batch), shape_.steps);
  const cudnnDataType_t type = data_type(type_);
  constexpr cudnnRNNDataLayout_t kLayout = CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_UNPACKED;
  TRAIND_TRY(cudnnCreateRNNDataDescriptor, x_.out());
  TRAIND_TRY(cudnnSetRNNDataDescriptor, x_.get(), type, kLayout, shape_.steps, shape_.batch,
             shape_.input, lengths.data(), nullptr);
  TRAIND_TRY(cudnnCreateRNNDataDescriptor, y_.out());
  TRAIND_TRY(cudnnSetRNNDataDescriptor, y_.get(), type, kLayout, shape_.steps, shape_.batch,
             shape_.hidden, lengths.data(), nullptr);
  const std::array<int, 3> sizes{1, shape_.batch, shape_.hidden};
  const std::array<int, 3> strides{shape_.batch * shape_.hidden, shape_.hidden, 1};
  TRAIND_TRY(cudnnCreateTensorDescriptor, state_.out());
  TRAIND_TRY(cudnnSetTensorNdDescriptor, state_.get(), type, static_cast<int>(sizes.size()),
             sizes.data(), strides.data());
  return {};
}

RnnAnswer Rnn::measure() {
  TRAIND_TRY(cudnnGetRNNWeightSpaceSize, context_.dnn(), layer_.get(), &weight_bytes_);
  TRAIND_TRY(cudnnGetRNNTempSpaceSizes, context_.dnn(), layer_.get(), mode_of(shape_), x_.get(),
             &workspace_bytes_, &reserve_bytes_);
  if (!shape_.training) reserve_bytes_ = 0;
  return {};
}

RnnAnswer Rnn::find(void* weights, Layer::Places& places) const {
  places.total = weight_bytes_ / size_of(type_);
  for (int id = 0; id < gates_of(shape_.cell); ++id) {
    const auto gate = static_cast<std::size_t>(id);
    RnnAnswer answer = find_one(weights, id, static_cast<std::size_t>(shape_.input),
                                places.weight_ih[gate], places.bias_ih[gate]);
    if (!answer.fine()) return answer;
    answer =
        find_one(weights, id + first_recurrent(shape_), static_cast<std::size_t>(shape_.hidden),
                 places.weight_hh[gate], places.bias_hh[gate]);
    if (!answer.fine()) return answer;
  }
  return {};
}

RnnAnswer Rnn::find_one(void* weights, int id, std::size_t columns, std::size_t& matrix,
                        std::size_t& bias) const {
  TensorDescriptor matrix_shape;
  TensorDescriptor bias_shape;
  TRAIND_TRY(cudnnCreateTensorDescriptor, matrix_shape.out());
  TRAIND_TRY(cudnnCreateTensorDescriptor, bias_shape.out());
  void* matrix_at = nullptr;
  void* bias_at = nullptr;
  TRAIND_TRY(cudnnGetRNNWeightParams, context_.dnn(), layer_.get(), 0, weight_bytes_, weights, id,
             matrix_shape.get(), &matrix_at, bias_shape.get(), &bias_at);
  std::array<int, 3> sizes{};
  std::array<int, 3> strides{};
  int dimensions = 0;
  cudnnDataType_t type = CUDNN_DATA_FLOAT;
  TRAIND_TRY(cudnnGetTensorNdDescriptor, matrix_shape.get(), static_cast<int>(sizes.size()), &type,
             &dimensions, sizes.data(), strides.data());
  std::size_t elements = 1;
  for (const int size : sizes) elements *= static_cast<std::size_t>(size);
  const auto place = [&](const void* at) {
    return static_cast<std::size_t>(static_cast<const char*>(at) -
                                    static_cast<const char*>(weights)) /
           size_of(type_);
  };
  matrix = place(matrix_at);
  bias = place(bias_at);
  // Our kernels take each matrix for dense rows [H, columns] of the compute type.
  const auto hidden = static_cast<std::size_t>(shape_.hidden);
  const std::size_t total = weight_bytes_ / size_of(type_);
  const bool inside = matrix_at != nullptr && bias_at != nullptr && matrix + elements <= total &&
                      bias + hidden <= total;
  if (!inside || type != data_type(type_) || elements != columns * hidden) {
    return {CUDNN_STATUS_NOT_SUPPORTED_LAYOUT, "cudnnGetRNNWeightParams"};
  }
  return {};
}

// The lengths on the device are null throughout: since cuDNN 8.9.1 it takes them from the
// descriptors, where all are T. A GRU has no c: its pointers are null, which cuDNN does not look
// at.

RnnAnswer Rnn::forward(const LayerForward& call) const {
  TRAIND_TRY(cudnnRNNForward, context_.dnn(), layer_.get(), mode_of(shape_), nullptr, x_.get(),
             call.x, y_.get(), call.y, state_.get(), call.first_h, nullptr, state_.get(),
             call.first_c, call.last_c, weight_bytes_, call.weights, workspace_bytes_,
             call.workspace, reserve_bytes_, shape_.training ? call.reserve : nullptr);
  return {};
}

RnnAnswer Rnn::backward(const LayerForward& forward, const LayerBackward& call) const {
  // The gradient of the last h came in with that of y, which holds the same value.
  TRAIND_TRY(cudnnRNNBackwardData_v8, context_.dnn(), layer_.get(), nullptr, y_.get(), forward.y,
             call.d_y, x_.get(), call.d_x, state_.get(), forward.first_h, nullptr, call.d_first_h,
             state_.get(), forward.first_c, call.d_last_c, call.d_first_c, weight_bytes_,
             forward.weights, workspace_bytes_, forward.workspace, reserve_bytes_, forward.reserve);
  // Reads what the call above left in the reserve, so it comes second.
  TRAIND_TRY(cudnnRNNBackwardWeights_v8, context_.dnn(), layer_.get(), CUDNN_WGRAD_MODE_ADD,
             nullptr, x_.get(), forward.x, state_.get(), forward.first_h, y_.get(), forward.y,
             weight_bytes_, call.d_weights, workspace_bytes_, forward.workspace, reserve_bytes_,
             forward.reserve);
  return {};
}

}  // namespace traind::cuda
