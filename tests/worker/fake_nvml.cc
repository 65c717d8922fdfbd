// A libnvidia-ml.so.1 for machines without a GPU: one device with gauges that never change, and one
// that knows its memory alone, as a slice of a GPU (MIG) does. The real library needs a GPU.
#include <cstring>

extern "C" {

struct Memory {
  unsigned long long total, free, used;
};
struct Utilization {
  unsigned int gpu, memory;
};

int nvmlInit_v2() { return 0; }
int nvmlShutdown() { return 0; }

int nvmlDeviceGetHandleByUUID(const char* uuid, const char** device) {
  constexpr int kNotFound = 6;  // NVML_ERROR_NOT_FOUND
  if (std::strcmp(uuid, "GPU-whole") != 0 && std::strcmp(uuid, "MIG-slice") != 0) return kNotFound;
  *device = std::strcmp(uuid, "GPU-whole") == 0 ? "whole" : "slice";
  return 0;
}

int nvmlDeviceGetMemoryInfo(const char*, Memory* memory) {
  *memory = {150'000'000'000, 110'000'000'000, 40'000'000'000};
  return 0;
}

constexpr int kNotSupported = 3;  // NVML_ERROR_NOT_SUPPORTED

int nvmlDeviceGetUtilizationRates(const char* device, Utilization* rates) {
  if (*device == 's') return kNotSupported;
  *rates = {87, 41};
  return 0;
}

int nvmlDeviceGetTemperature(const char* device, unsigned int sensor, unsigned int* celsius) {
  if (*device == 's' || sensor != 0) return kNotSupported;
  *celsius = 61;
  return 0;
}

int nvmlDeviceGetPowerUsage(const char* device, unsigned int* milliwatts) {
  if (*device == 's') return kNotSupported;
  *milliwatts = 412'500;
  return 0;
}
}
