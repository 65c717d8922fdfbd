// What libtraind_cuda.so shows to the program that loads it, and nothing else: one C symbol.
//
// Program and plug-in share C++ classes, so they must be of one version; `abi` comes first and
// never moves, so that even a foreign plug-in can be asked for it.
#pragma once

#include <cstdint>

namespace traind {
class Backend;
}

// Raised with every change of these two structures.
inline constexpr std::int32_t kTraindCudaAbi = 1;
#define TRAIND_CUDA_PLUGIN_SYMBOL "traind_cuda_plugin"

struct TraindCudaOptions {
  std::int32_t ordinal;
  std::int32_t precision;      // traind::Precision
  std::int32_t deterministic;  // 0 or 1
};

struct TraindCudaPlugin {
  std::int32_t abi;
  const char* version;  // of traind
  // Caller owns. Throws traind::Error(kDevice) when the device cannot be opened.
  traind::Backend* (*create)(const TraindCudaOptions* options);
};
