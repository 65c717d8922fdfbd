#include "model/train/record_text.h"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <system_error>

#include "model/base/error.h"

namespace traind {
namespace {

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '\t':
        out += "\\t";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\\':
        out += "\\\\";
        break;
      default:
        out += c;
    }
  }
  return out;
}

[[noreturn]] void unreadable(const std::string& what) {
  throw Error(ErrorKind::kCorrupt, "a record in the checkpoint cannot be read: " + what);
}

}  // namespace

RecordWriter& RecordWriter::add(const std::string& text) {
  if (!first_) text_ += '\t';
  first_ = false;
  text_ += escaped(text);
  return *this;
}

RecordWriter& RecordWriter::add(std::int64_t value) { return add(std::to_string(value)); }

RecordWriter& RecordWriter::add(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%a", value);
  return add(std::string(text));
}

RecordWriter& RecordWriter::add(bool value) { return add(std::string(value ? "1" : "0")); }

RecordReader::RecordReader(const std::string& line) {
  fields_.emplace_back();
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\t') {
      fields_.emplace_back();
    } else if (line[i] != '\\') {
      fields_.back() += line[i];
    } else {
      if (++i == line.size()) unreadable("it ends in a backslash");
      fields_.back() += line[i] == 't' ? '\t' : line[i] == 'n' ? '\n' : line[i];
    }
  }
}

std::string RecordReader::text() {
  if (at_end()) unreadable("a field is missing");
  return fields_[next_++];
}

std::int64_t RecordReader::integer(std::int64_t least, std::int64_t most) {
  const std::string field = text();
  std::int64_t value = 0;
  const char* const end = field.data() + field.size();
  const auto [at, error] = std::from_chars(field.data(), end, value);
  if (error != std::errc() || at != end) unreadable("'" + field + "' is no number");
  if (value < least || value > most) unreadable("'" + field + "' cannot be");
  return value;
}

double RecordReader::number() {
  const std::string field = text();
  char* end = nullptr;
  const double value = std::strtod(field.c_str(), &end);
  // By its length, not by its zero: one may stand in the midst of a field.
  if (field.empty() || end != field.c_str() + field.size()) {
    unreadable("'" + field + "' is no number");
  }
  return value;
}

bool RecordReader::boolean() { return integer(0, 1) != 0; }

std::vector<std::string> lines_of_text(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = text.find('\n', begin);
    if (end == std::string::npos) {
      lines.push_back(text.substr(begin));
      break;
    }
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

}  // namespace traind
