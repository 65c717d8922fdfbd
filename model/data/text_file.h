// Opens a corpus file for reading, packed or not.
//
// A path that ends in .gz or .zst is unpacked into a file of `cache_folder` that has no name, so
// that nothing is left behind however the process ends. Waits for the disk. Caller owns the result.
#pragma once

#include <functional>
#include <string>

#include "model/data/mapped_file.h"

namespace traind {

// `on_progress` is called for every few hundred kilobytes unpacked; what it throws is passed on.
// Throws Error(kNotFound), Error(kIo), Error(kNoSpace), and Error(kData) for a damaged archive or
// one that this build cannot read.
MappedFile open_text_file(const std::string& path, const std::string& cache_folder,
                          const std::function<void()>& on_progress);

}  // namespace traind
