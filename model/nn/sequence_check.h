// Refuses a batch that would make a device read or write outside its memory.
//
// Pure; safe on any thread. A few microseconds a batch, and the last place where a wrong id can
// still be named: on a device it is a fault somewhere else, later.
#pragma once

#include "model/backend/backend.h"

namespace traind {

// Throws Error(kInternal) unless ids and lengths have the sizes and ranges that Sequences asks for
// and every id is below `words`. `what` names the sequences in the message.
void check_sequences(const Sequences& sequences, int words, const char* what);

}  // namespace traind
