// What becomes of a worker to which the system gives no more memory: it says so, whoever asked for
// the memory, and ends with the status of ErrorKind::kNoMemory.
//
// Called once, in main(), before any thread.
#pragma once

namespace traind {

// From now on a first std::bad_alloc comes with memory set aside to report it; one that nobody
// catches ends the process with that status and a line on standard error.
void prepare_for_want_of_memory();

}  // namespace traind
