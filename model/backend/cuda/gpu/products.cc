// Matrix products through cuBLAS, which counts columns first: what it takes for a matrix is our
// matrix transposed. So C = A B is asked for as C^T = B^T A^T, with the operands exchanged.
#include "model/backend/cuda/gpu/body.h"
#include "model/base/error.h"

namespace traind::cuda {
namespace {

cudaDataType_t data_type(Type type) {
  if (type == Type::kFloat) return CUDA_R_32F;
  return type == Type::kHalf ? CUDA_R_16F : CUDA_R_16BF;
}

const char* name_of(Type type) {
  if (type == Type::kFloat) return "fp32";
  return type == Type::kHalf ? "fp16" : "bf16";
}

std::string words_of(const Product& p) {
  std::string text = " [" + std::to_string(p.m) + "x" + std::to_string(p.n) + "x" +
                     std::to_string(p.k) + ", " + name_of(p.a.type);
  if (p.count > 1) text += ", " + std::to_string(p.count) + " times";
  return text + "]";
}

}  // namespace

void Device::multiply(const Product& p) {
  Context& context = body_->context;
  context.expect_alive();
  if (p.m == 0 || p.n == 0 || p.count == 0) return;
  if (p.a.type != p.b.type) {
    throw Error(ErrorKind::kInternal, "multiply: the operands are of two types");
  }
  const cublasComputeType_t compute =
      options().precision == Precision::kTf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  const float alpha = 1;
  const float beta = p.accumulate != 0 ? 1.0f : 0.0f;
  const cublasOperation_t operation_a = p.a_transposed != 0 ? CUBLAS_OP_T : CUBLAS_OP_N;
  const cublasOperation_t operation_b = p.b_transposed != 0 ? CUBLAS_OP_T : CUBLAS_OP_N;
  const auto shape = [&p] { return words_of(p); };
  if (p.count == 1) {
    context.check(
        cublasGemmEx(context.blas(), operation_b, operation_a, p.n, p.m, p.k, &alpha, p.b.data,
                     data_type(p.b.type), p.ldb, p.a.data, data_type(p.a.type), p.lda, &beta,
                     p.c.data, data_type(p.c.type), p.ldc, compute, CUBLAS_GEMM_DEFAULT),
        "cublasGemmEx", shape);
    return;
  }
  context.check(cublasGemmStridedBatchedEx(context.blas(), operation_b, operation_a, p.n, p.m, p.k,
                                           &alpha, p.b.data, data_type(p.b.type), p.ldb, p.b_stride,
                                           p.a.data, data_type(p.a.type), p.lda, p.a_stride, &beta,
                                           p.c.data, data_type(p.c.type), p.ldc, p.c_stride,
                                           p.count, compute, CUBLAS_GEMM_DEFAULT),
                "cublasGemmStridedBatchedEx", shape);
}

}  // namespace traind::cuda
