// Writes the sample checkpoint to the file named on the command line, for readers that are not
// ours: safetensors_test.py.
#include <cstdio>

#include "model/base/error.h"
#include "model/base/files.h"
#include "tests/checkpoint/sample.h"

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: write_sample FILE\n");
    return 2;
  }
  try {
    const traind::Sample sample;
    traind::write_durably(traind::posix_files(), arguments[1], traind::file_of(sample.view()));
  } catch (const traind::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
