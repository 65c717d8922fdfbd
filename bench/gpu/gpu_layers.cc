// What cuDNN's algorithms for one LSTM layer take at the shapes that gpu_step measures, forwards
// and backwards: the part of a step that is cuDNN's own. Figures as JSON to stdout.
//
// usage: gpu_layers [--quick]; exit status 3 where there is no GPU
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "model/backend/cuda/device.h"
#include "model/base/error.h"

extern "C" std::size_t cudnnGetVersion();  // cuDNN's own; its headers belong to the device

namespace traind {
namespace {

struct NamedPrecision {
  const char* name;
  Precision precision;
};
constexpr NamedPrecision kPrecisions[] = {{"fp32", Precision::kFp32},
                                          {"tf32", Precision::kTf32},
                                          {"bf16", Precision::kBf16},
                                          {"fp16", Precision::kFp16}};

struct NamedShape {
  const char* name;
  cuda::LayerShape shape;
};
constexpr NamedShape kShapes[] = {{"512", {40, 128, 512, 512, true}},
                                  {"1024", {40, 256, 1024, 1024, true}}};
constexpr NamedShape kQuickShapes[] = {{"64", {10, 16, 64, 64, true}}};

// "persist_static 0.212 ms (standard 0.480 ms; ...)": the milliseconds of what was chosen.
double chosen_milliseconds(const std::string& choice) {
  const std::size_t space = choice.find(' ');
  return std::strtod(choice.c_str() + (space == std::string::npos ? 0 : space), nullptr);
}

// Choices are words, errors may hold anything.
std::string quoted(std::string text) {
  for (char& c : text) {
    if (c == '"' || c == '\\' || static_cast<unsigned char>(c) < ' ') c = '\'';
  }
  return '"' + text + '"';
}

template <std::size_t N>
void measure(const NamedShape (&shapes)[N]) {
  bool first = true;
  for (const NamedPrecision& precision : kPrecisions) {
    cuda::DeviceOptions options;
    options.precision = precision.precision;
    cuda::Device device(options);
    if (first) {
      std::printf(
          "{\n  \"bench\": \"gpu_layers\",\n  \"device\": \"%s\",\n  \"cudnn\": %zu,\n"
          "  \"layers\": [\n",
          device.info().name.c_str(), cudnnGetVersion());
    }
    for (const NamedShape& shape : shapes) {
      std::string choice;
      try {
        choice = cuda::Layer(device, shape.shape).choice();
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::kDevice) throw;
        choice = error.what();
      }
      std::printf(
          "%s    {\"name\": \"%s\", \"precision\": \"%s\", \"batch\": %d, \"steps\": %d, "
          "\"milliseconds\": %.4f, \"choice\": %s}",
          first ? "" : ",\n", shape.name, precision.name, shape.shape.batch, shape.shape.steps,
          chosen_milliseconds(choice), quoted(choice).c_str());
      first = false;
    }
  }
  std::printf("\n  ]\n}\n");
}

}  // namespace
}  // namespace traind

int main(int count, char** arguments) {
  const bool quick = count == 2 && std::strcmp(arguments[1], "--quick") == 0;
  if (count > 1 && !quick) {
    std::fputs("usage: gpu_layers [--quick]\n", stderr);
    return 2;
  }
  try {
    if (quick) {
      traind::measure(traind::kQuickShapes);
    } else {
      traind::measure(traind::kShapes);
    }
  } catch (const traind::Error& error) {
    std::fprintf(stderr, "gpu_layers: %s\n", error.what());
    return error.kind() == traind::ErrorKind::kDevice ? 3 : traind::exit_code(error.kind());
  }
  return 0;
}
