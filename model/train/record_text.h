// Records as lines of text: fields parted by tabs, exact numbers, any string. Used inside
// checkpoint metadata. Values; safe on any thread.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace traind {

class RecordWriter {
 public:
  RecordWriter& add(const std::string& text);  // tab, line end and backslash are escaped
  RecordWriter& add(std::int64_t value);
  RecordWriter& add(double value);  // hexadecimal fraction: exact
  RecordWriter& add(bool value);
  // The record, with its line end.
  std::string line() const { return text_ + "\n"; }

 private:
  std::string text_;
  bool first_ = true;
};

// Reads fields in order. Throws Error(kCorrupt) when one is missing, is no number or none of those
// that were asked for.
class RecordReader {
 public:
  explicit RecordReader(const std::string& line);
  std::string text();
  // From `least` to `most`.
  std::int64_t integer(std::int64_t least = std::numeric_limits<std::int64_t>::min(),
                       std::int64_t most = std::numeric_limits<std::int64_t>::max());
  double number();
  bool boolean();
  bool at_end() const { return next_ == fields_.size(); }

 private:
  std::vector<std::string> fields_;
  std::size_t next_ = 0;
};

// The lines of a text, without their ends.
std::vector<std::string> lines_of_text(const std::string& text);

}  // namespace traind
