// Walks the lines of a mapped file, front to back, and gives signs of life while it does.
//
// One thread. The file and the callback must outlive it. Waits for the disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include "model/data/mapped_file.h"
#include "model/data/reading_pace.h"

namespace traind {

class LineCursor {
 public:
  LineCursor(const MappedFile& file, const std::function<void()>& on_progress);

  // Goes to the next line; false at the end of the file. A last line without newline counts.
  bool next();

  // Of the line that next() has found: its bytes without the newline, where it begins in the file,
  // and its number, 1-based. At the end of the file the last line's.
  std::string_view line() const { return line_; }
  std::size_t offset() const { return offset_; }
  std::int64_t number() const { return number_; }
  const MappedFile& file() const { return file_; }

 private:
  const char* find_end(const char* begin) const;

  const MappedFile& file_;
  ReadingPace pace_;
  std::string_view line_;
  std::size_t offset_ = 0;
  std::size_t next_ = 0;  // where the next line begins
  std::int64_t number_ = 0;
};

}  // namespace traind
