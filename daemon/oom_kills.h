// How often the kernel has killed a process for want of memory, of the machine or of a cgroup.
//
// A function; safe on any thread; reads /proc. A worker that SIGKILL ended while the number rose
// was most likely one of them: nothing else tells its parent.
#pragma once

#include <cstdint>

namespace traind {

// Since the machine was started; -1 = the system does not say.
std::int64_t oom_kills();

}  // namespace traind
