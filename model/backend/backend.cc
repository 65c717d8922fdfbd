#include "model/backend/backend.h"

#include "model/backend/cpu/cpu_backend.h"
#include "model/base/error.h"

namespace traind {

ChosenBackend make_backend(const DeviceChoice& choice) {
  if (choice.device == "cuda") {
    throw Error(
        ErrorKind::kDevice,
        "device \"cuda\": this build has no CUDA plug-in; set device = \"cpu\" or \"auto\", "
        "or install a build with CUDA");
  }
  if (choice.device != "auto" && choice.device != "cpu") {
    throw Error(ErrorKind::kConfig,
                "device \"" + choice.device + "\" is not known; use \"auto\", \"cpu\" or \"cuda\"");
  }
  if (choice.threads < 0) {
    throw Error(ErrorKind::kConfig,
                "threads must be 0 (one per core) or above, not " + std::to_string(choice.threads));
  }
  cpu::CpuOptions options;
  options.threads = choice.threads;
  return {cpu::make_cpu_backend(options), choice.device == "auto"
                                              ? "auto: this build knows the CPU only"
                                              : "cpu: as the run file asks"};
}

}  // namespace traind
