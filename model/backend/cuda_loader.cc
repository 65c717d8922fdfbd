#include "model/backend/cuda_loader.h"

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "model/backend/cuda/plugin.h"
#include "model/base/error.h"

namespace traind {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPluginName = "libtraind_cuda.so";
// What the plug-in is built for, and the first driver that knows it.
constexpr int kNeededCuda = 13000;
constexpr const char* kNeededDriver = "580";

// Of CUDA's driver interface, as cuda.h numbers them.
constexpr int kDriverFine = 0;
constexpr int kDriverIsStub = 34;
constexpr int kDriverHasNoDevice = 100;
constexpr int kDriverIsStarting = 802;
constexpr int kDriverMismatch = 803;

[[noreturn]] void refuse(const std::string& sentence) { throw Error(ErrorKind::kDevice, sentence); }

std::string last_dl_error() {
  const char* const text = dlerror();
  return text == nullptr ? "unknown reason" : text;
}

std::string cuda_version(int number) {
  return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
}

template <class Function>
Function* symbol(void* library, const char* name) {
  void* const found = dlsym(library, name);
  if (found == nullptr) refuse("the NVIDIA driver is broken: " + last_dl_error());
  return reinterpret_cast<Function*>(found);
}

[[noreturn]] void refuse_start(int status) {
  switch (status) {
    case kDriverIsStub:
      refuse(
          "libcuda.so.1 is the compiler's stand-in and not the NVIDIA driver's: take its folder "
          "(\"stubs\") out of LD_LIBRARY_PATH");
    case kDriverHasNoDevice:
      refuse(
          "the NVIDIA driver finds no GPU: see that `nvidia-smi -L` lists one and that "
          "CUDA_VISIBLE_DEVICES does not hide it");
    case kDriverIsStarting:
      refuse(
          "the NVIDIA driver is still starting the GPUs (on a machine with NVSwitch, see that "
          "nvidia-fabricmanager runs): try again in a moment");
    case kDriverMismatch:
      refuse(
          "the NVIDIA driver's library and its kernel module are of two versions: restart the "
          "machine, or reload the module");
    default:
      refuse("the NVIDIA driver does not start (cuInit gives error " + std::to_string(status) +
             "): see what `nvidia-smi` and `dmesg` say");
  }
}

// The driver is asked first: where there is none, the plug-in's own words would be about libraries.
void expect_driver(const std::string& name) {
  void* const driver = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (driver == nullptr) {
    refuse("no NVIDIA driver is installed (" + last_dl_error() + "): install driver " +
           kNeededDriver + " or later, or set device = \"cpu\"");
  }
  int version = 0;
  const int asked = symbol<int(int*)>(driver, "cuDriverGetVersion")(&version);
  if (asked == kDriverFine && version < kNeededCuda) {
    refuse("the NVIDIA driver is too old: it knows CUDA " + cuda_version(version) +
           ", and this program needs CUDA " + cuda_version(kNeededCuda) + ": install driver " +
           kNeededDriver + " or later");
  }
  const int started = symbol<int(unsigned)>(driver, "cuInit")(0);
  if (started != kDriverFine) refuse_start(started);
  int devices = 0;
  const int counted = symbol<int(int*)>(driver, "cuDeviceGetCount")(&devices);
  if (counted != kDriverFine) refuse_start(counted);
  if (devices == 0) refuse_start(kDriverHasNoDevice);
}

// Libraries that are loaded by file already are the ones that the plug-in gets. The folder may be
// that of a Python environment, where cuBLAS has a folder beside cuDNN's.
void load_libraries_of(const std::string& folder) {
  if (folder.empty()) return;
  const fs::path given(folder);
  for (const char* const name : {"libcublasLt.so.13", "libcublas.so.13", "libcudnn.so.9"}) {
    for (const fs::path& place :
         {given, given / "lib", given / "../cu13/lib", given / "../../cu13/lib"}) {
      std::error_code absent;
      if (!fs::exists(place / name, absent)) continue;
      if (dlopen((place / name).c_str(), RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE) == nullptr) {
        refuse("TRAIND_CUDNN_DIR: " + last_dl_error());
      }
      break;
    }
  }
}

std::string plugin_file(const std::vector<std::string>& places) {
  std::string looked;
  for (const std::string& place : places) {
    std::error_code absent;
    if (fs::exists(place, absent)) return place;
    looked += (looked.empty() ? "" : ", ") + place;
  }
  refuse("no CUDA plug-in is installed (looked for " + looked +
         "): build on a machine with nvcc and cuDNN and install that, or set TRAIND_CUDA_PLUGIN to "
         "its file");
}

// A library, what its functions begin with, and the packages that bring it: of NVIDIA's apt
// repository, and of pip.
struct Package {
  const char* prefix;
  const char* functions;
  const char* library;
  const char* apt;
  const char* pip;
};
constexpr Package kPackages[] = {
    {"libcudnn", "cudnn", "cuDNN 9", "libcudnn9-cuda-13", "nvidia-cudnn-cu13"},
    {"libcublas", "cublas", "cuBLAS 13", "libcublas-13-0", "nvidia-cublas"},
    {"libcudart", "cuda", "the CUDA 13 runtime", "cuda-cudart-13-0", "nvidia-cuda-runtime"},
    {"libnvrtc", "nvrtc", "CUDA's run-time compiler", "cuda-nvrtc-13-0", "nvidia-cuda-nvrtc"},
};

// `reason` is dlerror()'s: it begins with the name of a library that is missing, and names the
// function that a library is too old to have.
[[noreturn]] void refuse_library(const std::string& file, const std::string& reason) {
  for (const Package& package : kPackages) {
    const bool missing = reason.starts_with(package.prefix);
    const bool too_old =
        reason.find(std::string("undefined symbol: ") + package.functions) != std::string::npos;
    if (!missing && !too_old) continue;
    refuse(std::string(package.library) + (missing ? " is missing (" : " is too old (") + reason +
           "): install " + package.apt + " from NVIDIA's package repository, or " + package.pip +
           " with pip and set TRAIND_CUDNN_DIR to its folder nvidia/cudnn");
  }
  refuse("the CUDA plug-in " + file + " does not load: " + reason +
         "; install the plug-in of version " TRAIND_VERSION);
}

const TraindCudaPlugin& load_plugin(const std::string& file) {
  void* const library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) refuse_library(file, last_dl_error());
  const auto* const plugin =
      static_cast<const TraindCudaPlugin*>(dlsym(library, TRAIND_CUDA_PLUGIN_SYMBOL));
  if (plugin == nullptr) refuse(file + " is not a CUDA plug-in of traind: " + last_dl_error());
  if (plugin->abi != kTraindCudaAbi) {
    refuse("the CUDA plug-in " + file + " has interface " + std::to_string(plugin->abi) +
           ", this program " + std::to_string(kTraindCudaAbi) +
           ": install both of the same version (this is " TRAIND_VERSION ")");
  }
  if (std::strcmp(plugin->version, TRAIND_VERSION) != 0) {
    refuse("the CUDA plug-in " + file + " is of version " + plugin->version +
           ", this program of " TRAIND_VERSION ": install both of the same version");
  }
  return *plugin;
}

const char* environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

CudaSearch usual_cuda_search() {
  CudaSearch search;
  search.cudnn_folder = environment("TRAIND_CUDNN_DIR");
  const std::string asked = environment("TRAIND_CUDA_PLUGIN");
  if (!asked.empty()) {
    search.plugins.push_back(asked);
    return search;
  }
  std::error_code unknown;
  const fs::path program = fs::read_symlink("/proc/self/exe", unknown);
  const auto add = [&](const fs::path& place) {
    search.plugins.push_back(place.lexically_normal());
  };
  add(program.parent_path() / TRAIND_PLUGIN_FOLDER / kPluginName);
  // A build's programs use that build's plug-in, and no other program looks there.
  if (program.string().starts_with(std::string(TRAIND_BUILD_FOLDER) + "/")) {
    add(fs::path(TRAIND_BUILD_FOLDER) / "model/backend/cuda" / kPluginName);
  } else {
    add(fs::path(TRAIND_INSTALL_FOLDER) / kPluginName);
  }
  return search;
}

std::unique_ptr<Backend> load_cuda_backend(const CudaSearch& search, Precision precision,
                                           bool deterministic) {
  expect_driver(search.driver);
  const std::string file = plugin_file(search.plugins);
  load_libraries_of(search.cudnn_folder);
  const TraindCudaPlugin& plugin = load_plugin(file);
  const TraindCudaOptions options{0, static_cast<std::int32_t>(precision), deterministic ? 1 : 0};
  return std::unique_ptr<Backend>(plugin.create(&options));
}

}  // namespace traind
