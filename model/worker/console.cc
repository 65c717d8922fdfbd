#include "model/worker/console.h"

#include <unistd.h>

#include <cstdio>
#include <exception>

#include "model/base/plain_text.h"

namespace traind {

void complain(const std::string& words) noexcept {
  try {
    std::fprintf(stderr, "traind-worker: %s\n", one_line(words).c_str());
  } catch (const std::exception&) {
    std::fputs("traind-worker: out of memory\n", stderr);
  }
}

std::string result_line(const std::string& line) {
  static const bool terminal = isatty(STDOUT_FILENO) == 1;
  return terminal ? one_line(line) : line;
}

}  // namespace traind
