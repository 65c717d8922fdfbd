// The processor's own name for itself, from /proc/cpuinfo. Any thread.
#pragma once

#include <string>

namespace traind::cpu {

// "AMD EPYC 9R45"; "CPU" where the system does not tell.
std::string processor_name();

}  // namespace traind::cpu
