#include "daemon/oom_kills.h"

#include <fstream>
#include <string>

namespace traind {

std::int64_t oom_kills() {
  std::ifstream counters("/proc/vmstat");
  std::string name;
  for (std::int64_t value = 0; counters >> name >> value;) {
    if (name == "oom_kill") return value;
  }
  return -1;
}

}  // namespace traind
