// Every kernel, for the two bodies of Device, which make code for each.
#pragma once

#include "model/backend/cuda/kernels/attention.h"
#include "model/backend/cuda/kernels/decoding.h"
#include "model/backend/cuda/kernels/layer.h"
#include "model/backend/cuda/kernels/loss.h"
#include "model/backend/cuda/kernels/rows.h"
#include "model/backend/cuda/kernels/update.h"

// F(Name) for every kernel. A macro because explicit instantiation takes names, not types.
#define TRAIND_CUDA_LAYER_KERNELS(F) \
  F(EmbeddedInput)                   \
  F(StackedInput)                    \
  F(StackOutput)                     \
  F(StateIn)                         \
  F(StateOut)                        \
  F(LastOutput)                      \
  F(OutputGradient)                  \
  F(EmbeddingPieces)                 \
  F(EmbeddingGradient)               \
  F(WeightsIn)                       \
  F(WeightGradientsOut)

#define TRAIND_CUDA_ROW_KERNELS(F) \
  F(RowsIn)                        \
  F(ConvertedWeight)               \
  F(Ones)

#define TRAIND_CUDA_LOSS_KERNELS(F) \
  F(CrossEntropy)                   \
  F(LossTotal)

#define TRAIND_CUDA_UPDATE_KERNELS(F) \
  F(SquareSums)                       \
  F(UpdateDecision)                   \
  F(AdamUpdate)                       \
  F(SgdUpdate)

#define TRAIND_CUDA_ATTENTION_KERNELS(F) \
  F(AttentionShares)                     \
  F(AttentionSharesBack)                 \
  F(TanhOut)                             \
  F(TanhBack)

#define TRAIND_CUDA_DECODING_KERNELS(F) \
  F(DecodingStart)                      \
  F(LstmDecoderCell)                    \
  F(GruDecoderCell)                     \
  F(NextToken)                          \
  F(BestTokens)                         \
  F(RowsByParent)

#define TRAIND_CUDA_KERNELS(F)     \
  TRAIND_CUDA_LAYER_KERNELS(F)     \
  TRAIND_CUDA_ROW_KERNELS(F)       \
  TRAIND_CUDA_LOSS_KERNELS(F)      \
  TRAIND_CUDA_UPDATE_KERNELS(F)    \
  TRAIND_CUDA_ATTENTION_KERNELS(F) \
  TRAIND_CUDA_DECODING_KERNELS(F)
