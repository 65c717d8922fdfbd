// Outlook's way of hanging mails together: the Thread-Index header ([MS-OXOMSG], 2.2.1.3).
//
// A pure function; safe on any thread.
#pragma once

#include <string>
#include <string_view>

namespace traind {

// Base64 of 22 bytes: six of a FILETIME (the time inside the ULID), and a GUID made of the run's
// id. Every mail of a run has the same one.
std::string thread_index_of(std::string_view run_id);

}  // namespace traind
