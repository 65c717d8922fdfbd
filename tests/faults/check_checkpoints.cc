// Reads every checkpoint in a folder from end to end, checksums and all, and prints a line on each:
// "good NAME" or "bad NAME: WHY". Ends with 1 when one is bad.
#include <cstdio>

#include "model/base/error.h"
#include "model/checkpoint/store.h"

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: check_checkpoints FOLDER\n");
    return 2;
  }
  try {
    const traind::CheckpointStore store(traind::posix_files(), arguments[1]);
    int bad = 0;
    for (const std::string& name : store.list()) {
      try {
        store.load(name);
        std::printf("good %s\n", name.c_str());
      } catch (const traind::Error& error) {
        ++bad;
        std::printf("bad %s: %s\n", name.c_str(), error.what());
      }
    }
    return bad > 0 ? 1 : 0;
  } catch (const traind::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
