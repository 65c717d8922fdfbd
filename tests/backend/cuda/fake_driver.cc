// In place of libcuda.so.1: the three calls that the loader makes, with the answers of one kind of
// machine. Built several times; see CMakeLists.txt.
extern "C" int cuInit(unsigned) { return FAKE_START; }

extern "C" int cuDriverGetVersion(int* version) {
  *version = FAKE_CUDA;
  return 0;
}

extern "C" int cuDeviceGetCount(int* count) {
  *count = FAKE_DEVICES;
  return 0;
}
