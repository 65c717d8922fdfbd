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
  if (choice.device == "cpu" && choice.precision != Precision::kFp32) {
    throw Error(ErrorKind::kConfig,
                "device \"cpu\" computes in float32 only: set precision = \"fp32\", or another "
                "device");
  }
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
      if (choice.precision != Precision::kFp32) {
        reason += ". A CPU computes in float32, whatever the precision asked for";
      }
    }
  }
  cpu::CpuOptions options;
  options.threads = choice.threads;
  return {cpu::make_cpu_backend(options), reason};
}

}  // namespace traind
