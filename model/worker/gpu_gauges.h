// What NVML, the library beside NVIDIA's driver, says of one GPU.
//
// A thread of its own asks about once a second: some of NVML's answers take milliseconds, and no
// training step waits for them. A library or a number that is not there is no error: the gauge is
// unknown then. Safe on any thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "model/backend/backend.h"
#include "model/train/events.h"

namespace traind {

inline constexpr const char* kNvml = "libnvidia-ml.so.1";

// Asked once; waits. `identity` is DeviceInfo's; `library` is a name or path for dlopen(3).
GpuGauges gauges_of(const std::string& identity, const std::string& library = kNvml);

class GpuMonitor {
 public:
  explicit GpuMonitor(const std::string& identity, const std::string& library = kNvml,
                      std::chrono::milliseconds between = std::chrono::seconds(1));
  // Waits for a question that is under way.
  ~GpuMonitor();
  GpuMonitor(const GpuMonitor&) = delete;
  GpuMonitor& operator=(const GpuMonitor&) = delete;

  // The newest answer; unknown before the first. Does not wait.
  GpuGauges latest() const;

 private:
  void run(const std::string& identity, const std::string& library,
           std::chrono::milliseconds between);

  mutable std::mutex mutex_;
  std::condition_variable closed_;
  bool closing_ = false;  // guarded by mutex_
  GpuGauges latest_;      // likewise
  std::thread thread_;
};

// Watches the device for as long as a copy of the result lives. Empty where there is no GPU.
std::function<GpuGauges()> watch_gpu(const DeviceInfo& device);

}  // namespace traind
