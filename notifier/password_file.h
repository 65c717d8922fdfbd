// The mail password, from a file that only its owner can read.
//
// A function; safe on any thread; waits for the disk.
#pragma once

#include <string>

namespace traind {

// The file's content without the line end. Throws Error(kConfig) if others may read the file
// (unless it lies in $CREDENTIALS_DIRECTORY, where systemd sees to that), if it is no regular
// file, empty, longer than 4096 bytes, or has control characters inside. Throws Error(kIo) if it
// cannot be read. No message holds the content.
std::string read_password(const std::string& path);

}  // namespace traind
