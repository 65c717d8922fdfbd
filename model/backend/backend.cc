#include "model/backend/backend.h"

#include "model/backend/cpu/cpu_backend.h"
#include "model/backend/cuda_loader.h"
#include "model/base/error.h"

namespace traind {
namespace {

void check(const DeviceChoice& choice) {
  if (choice.device != "auto" && choice.device != "cpu" && choice.device != "cuda") {
    throw Error(ErrorKind::kConfig,
                "device \"" + choice.device + "\" is not known; use \"auto\", \"cpu\" or \"cuda\"");
  }
  if (choice.threads < 0) {
    throw Error(ErrorKind::kConfig,
                "threads must be 0 (one per core) or above, not " + std::to_string(choice.threads));
  }
  if (choice.device != "cpu" || choice.precision == Precision::kFp32) return;
  if (choice.precision != Precision::kBf16) {
    throw Error(ErrorKind::kConfig,
                "device \"cpu\" multiplies in float32 or bfloat16: set precision = \"fp32\" or "
                "\"bf16\", or another device");
  }
  if (!cpu::machine_has(cpu::InstructionSet::kAvx512Bf16)) {
    throw Error(ErrorKind::kConfig,
                "this processor has no instructions for bfloat16 (AVX512-BF16): set precision = "
                "\"fp32\", or another device");
  }
}

// The arithmetic a CPU stands in with, and, added to `reason`, where it is not what was asked for.
cpu::InstructionSet set_for(Precision precision, std::string& reason) {
  if (precision == Precision::kFp32) return cpu::InstructionSet::kBest;
  const bool bf16 = cpu::machine_has(cpu::InstructionSet::kAvx512Bf16);
  if (precision == Precision::kBf16 && bf16) return cpu::InstructionSet::kAvx512Bf16;
  reason += precision == Precision::kBf16
                ? ". This CPU computes in float32: it has no instructions for bfloat16"
                : ". A CPU computes in float32 where tf32 or fp16 is asked for";
  return cpu::InstructionSet::kBest;
}

}  // namespace

ChosenBackend make_backend(const DeviceChoice& choice) {
  return make_backend(choice, usual_cuda_search());
}

ChosenBackend make_backend(const DeviceChoice& choice, const CudaSearch& search) {
  check(choice);
  std::string reason = "cpu: as the run file asks";
  if (choice.device != "cpu") {
    try {
      std::unique_ptr<Backend> backend =
          load_cuda_backend(search, choice.precision, choice.deterministic);
      return {std::move(backend),
              choice.device == "auto" ? "auto: a GPU is there" : "cuda: as the run file asks"};
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kDevice) throw;
      if (choice.device == "cuda") {
        throw Error(ErrorKind::kDevice, std::string("device \"cuda\": ") + error.what());
      }
      reason = std::string("auto: ") + error.what();
    }
  }
  cpu::CpuOptions options;
  options.threads = choice.threads;
  options.instruction_set = set_for(choice.precision, reason);
  return {cpu::make_cpu_backend(options), reason};
}

}  // namespace traind
