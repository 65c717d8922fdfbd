// Starts another program, with the descriptors it is meant to have and no others.
//
// Safe on any thread. The child has its own process group, default signals, nothing blocked, and
// an environment without what systemd meant for the daemon alone. Where memory runs out, the kernel
// takes the child before us.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "daemon/descriptor.h"

namespace traind {

struct Spawn {
  std::string program;                 // a path; PATH is not searched
  std::vector<std::string> arguments;  // without the program's name
  std::vector<int> descriptors;        // of ours, for the child's 0, 1, 2, ...; -1 = /dev/null
};

struct Child {
  pid_t pid = -1;
  Descriptor exit;  // pidfd: readable once the process has ended
};

// Throws Error(kIo). The caller reaps the child.
Child spawn(const Spawn& what);

struct Pipe {
  Descriptor read;
  Descriptor write;
};
// Close-on-exec at both ends. Throws Error(kIo).
Pipe make_pipe();
void set_nonblocking(const Descriptor& descriptor);

// "ended with status 3", "was killed by signal 9 (Killed)"; of waitpid's status.
std::string exit_words(int wait_status);

}  // namespace traind
