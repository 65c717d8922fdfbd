// Numbers in device memory as kernels see them: a float, or one of the two 16-bit forms, converted
// on every access. Values; the same code on host and device, so that host tests cover it.
//
// bfloat16 and half are rounded to nearest, ties to even, as the device's own conversions do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "model/base/philox.h"

#ifdef __CUDA_ARCH__
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#endif

namespace traind::cuda {

enum class Type : std::int32_t { kFloat, kBfloat16, kHalf };

constexpr std::size_t size_of(Type type) { return type == Type::kFloat ? 4 : 2; }

#ifndef __CUDA_ARCH__
inline std::uint32_t bits_of(float value) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

inline float float_of(std::uint32_t bits) {
  float value = 0;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline std::uint16_t to_bfloat16(float value) {
  const std::uint32_t bits = bits_of(value);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return 0x7FFF;  // NaN
  return static_cast<std::uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

inline float from_bfloat16(std::uint16_t bits) {
  return float_of(static_cast<std::uint32_t>(bits) << 16);
}

inline std::uint16_t to_half(float value) {
  const std::uint32_t bits = bits_of(value);
  const std::uint16_t sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000u);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) return 0x7FFF;                                       // NaN
  if (magnitude >= 0x477FF000u) return static_cast<std::uint16_t>(sign | 0x7C00u);  // infinity
  if (magnitude < 0x38800000u) {
    // Below 2^-14 a half counts in steps of 2^-24. Adding 0.5 makes the float unit round to them.
    const float rounded = float_of(magnitude) + 0.5f;
    return static_cast<std::uint16_t>(sign | (bits_of(rounded) - bits_of(0.5f)));
  }
  const std::uint32_t odd = (magnitude >> 13) & 1u;
  return static_cast<std::uint16_t>(sign | ((magnitude + 0xFFFu + odd - 0x38000000u) >> 13));
}

inline float from_half(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  const std::uint32_t magnitude = bits & 0x7FFFu;
  if (magnitude >= 0x7C00u) return float_of(sign | 0x7F800000u | (magnitude & 0x3FFu) << 13);
  if (magnitude < 0x400u) {
    const float value = static_cast<float>(magnitude) * (1.0f / 16777216.0f);
    return sign != 0 ? -value : value;
  }
  return float_of(sign | ((magnitude << 13) + 0x38000000u));
}
#endif

// Does not own its memory.
struct Array {
  void* data = nullptr;
  Type type = Type::kFloat;
  std::int32_t unused = 0;  // no padding, so that equal arrays have equal bytes

  TRAIND_HOST_DEVICE float get(std::size_t i) const {
    if (type == Type::kFloat) return static_cast<const float*>(data)[i];
#ifdef __CUDA_ARCH__
    if (type == Type::kHalf) return __half2float(static_cast<const __half*>(data)[i]);
    return __bfloat162float(static_cast<const __nv_bfloat16*>(data)[i]);
#else
    const std::uint16_t bits = static_cast<const std::uint16_t*>(data)[i];
    return type == Type::kHalf ? from_half(bits) : from_bfloat16(bits);
#endif
  }

  TRAIND_HOST_DEVICE void set(std::size_t i, float value) const {
    if (type == Type::kFloat) {
      static_cast<float*>(data)[i] = value;
      return;
    }
#ifdef __CUDA_ARCH__
    if (type == Type::kHalf) {
      static_cast<__half*>(data)[i] = __float2half_rn(value);
    } else {
      static_cast<__nv_bfloat16*>(data)[i] = __float2bfloat16_rn(value);
    }
#else
    static_cast<std::uint16_t*>(data)[i] =
        type == Type::kHalf ? to_half(value) : to_bfloat16(value);
#endif
  }

  // Of an array that is not there (memory is measured before there is any), none is there either.
  TRAIND_HOST_DEVICE Array part(std::size_t offset) const {
    if (data == nullptr) return {nullptr, type, 0};
    const std::size_t bytes = offset * (type == Type::kFloat ? 4 : 2);
    return {static_cast<char*>(data) + bytes, type, 0};
  }
  TRAIND_HOST_DEVICE explicit operator bool() const { return data != nullptr; }
};

}  // namespace traind::cuda
