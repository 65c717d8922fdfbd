#include "model/data/line_cursor.h"

#include <algorithm>
#include <cstring>

namespace traind {

LineCursor::LineCursor(const MappedFile& file, const std::function<void()>& on_progress)
    : file_(file), pace_(file, on_progress) {}

bool LineCursor::next() {
  const std::string_view bytes = file_.bytes();
  if (next_ >= bytes.size()) return false;
  pace_.reach(next_);
  offset_ = next_;
  const char* const begin = bytes.data() + offset_;
  const char* const end = find_end(begin);
  line_ = {begin, static_cast<std::size_t>(end - begin)};
  next_ = offset_ + line_.size() + 1;
  ++number_;
  return true;
}

// In parts, so that a file that is one enormous line shows life too.
const char* LineCursor::find_end(const char* begin) const {
  const char* const file_end = file_.bytes().data() + file_.bytes().size();
  for (const char* at = begin;;) {
    const auto left = static_cast<std::size_t>(file_end - at);
    const std::size_t part = std::min(ReadingPace::kShowBytes, left);
    const void* const found = std::memchr(at, '\n', part);
    if (found != nullptr) return static_cast<const char*>(found);
    if (part == left) return file_end;
    at += part;
    pace_.show_life();
  }
}

}  // namespace traind
