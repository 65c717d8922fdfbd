#include "model/worker/gpu_gauges.h"

#include <dlfcn.h>

#include <memory>

namespace traind {
namespace {

// The few functions of NVML that are used here, as NVIDIA's NVML API Reference Guide documents them
// (docs.nvidia.com/deploy/nvml-api). They keep their ABI; there may be no nvml.h on the machine
// that builds, and no library on the one that runs.
struct Memory {  // nvmlMemory_t, bytes
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
};
struct Utilization {  // nvmlUtilization_t, percent over the last sample period
  unsigned int gpu;
  unsigned int memory;
};
using Device = struct DeviceHandle*;         // nvmlDevice_t
constexpr int kSuccess = 0;                  // NVML_SUCCESS
constexpr unsigned int kTemperatureGpu = 0;  // NVML_TEMPERATURE_GPU

class Nvml {
 public:
  Nvml(const std::string& identity, const std::string& library)
      : library_(dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (library_ == nullptr) return;
    find("nvmlInit_v2", init_);
    find("nvmlShutdown", shutdown_);
    find("nvmlDeviceGetHandleByUUID", handle_by_uuid_);
    find("nvmlDeviceGetMemoryInfo", memory_info_);
    find("nvmlDeviceGetUtilizationRates", utilization_rates_);
    find("nvmlDeviceGetTemperature", temperature_);
    find("nvmlDeviceGetPowerUsage", power_usage_);
    if (init_ == nullptr || shutdown_ == nullptr || handle_by_uuid_ == nullptr) return;
    begun_ = init_() == kSuccess;
    found_ = begun_ && handle_by_uuid_(identity.c_str(), &device_) == kSuccess;
  }
  ~Nvml() {
    if (begun_) shutdown_();
    if (library_ != nullptr) dlclose(library_);
  }
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  bool found() const { return found_; }

  GpuGauges ask() const {
    GpuGauges gauges;
    if (!found_) return gauges;
    Utilization rates{};
    if (utilization_rates_ != nullptr && utilization_rates_(device_, &rates) == kSuccess) {
      gauges.utilisation = rates.gpu / 100.0;
    }
    Memory memory{};
    if (memory_info_ != nullptr && memory_info_(device_, &memory) == kSuccess) {
      gauges.memory_bytes = static_cast<double>(memory.used);
      gauges.memory_total_bytes = static_cast<double>(memory.total);
    }
    unsigned int value = 0;
    if (temperature_ != nullptr && temperature_(device_, kTemperatureGpu, &value) == kSuccess) {
      gauges.celsius = value;
    }
    if (power_usage_ != nullptr && power_usage_(device_, &value) == kSuccess) {
      gauges.watts = value / 1000.0;  // NVML counts milliwatts
    }
    return gauges;
  }

 private:
  template <typename Function>
  void find(const char* name, Function& function) {
    function = reinterpret_cast<Function>(dlsym(library_, name));
  }

  void* const library_;
  bool begun_ = false;
  bool found_ = false;
  Device device_ = nullptr;
  int (*init_)() = nullptr;
  int (*shutdown_)() = nullptr;
  int (*handle_by_uuid_)(const char*, Device*) = nullptr;
  int (*memory_info_)(Device, Memory*) = nullptr;
  int (*utilization_rates_)(Device, Utilization*) = nullptr;
  int (*temperature_)(Device, unsigned int, unsigned int*) = nullptr;
  int (*power_usage_)(Device, unsigned int*) = nullptr;
};

}  // namespace

GpuGauges gauges_of(const std::string& identity, const std::string& library) {
  return Nvml(identity, library).ask();
}

GpuMonitor::GpuMonitor(const std::string& identity, const std::string& library,
                       std::chrono::milliseconds between)
    : thread_([=, this] { run(identity, library, between); }) {}

GpuMonitor::~GpuMonitor() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  closed_.notify_one();
  thread_.join();
}

GpuGauges GpuMonitor::latest() const {
  const std::lock_guard lock(mutex_);
  return latest_;
}

void GpuMonitor::run(const std::string& identity, const std::string& library,
                     std::chrono::milliseconds between) {
  const Nvml nvml(identity, library);
  if (!nvml.found()) return;
  for (;;) {
    const GpuGauges now = nvml.ask();
    std::unique_lock lock(mutex_);
    latest_ = now;
    if (closed_.wait_for(lock, between, [this] { return closing_; })) return;
  }
}

std::function<GpuGauges()> watch_gpu(const DeviceInfo& device) {
  if (device.identity.empty()) return {};
  return [monitor = std::make_shared<GpuMonitor>(device.identity)] { return monitor->latest(); };
}

}  // namespace traind
