#include "model/data/line_check.h"

#include <cstdio>

#include "model/data/utf8.h"
#include "model/data/vocabulary.h"

namespace traind {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::string describe(const TextScan& scan, std::string_view text, const char* side) {
  const std::string where = " at byte " + std::to_string(scan.at + 1);
  if (scan.fault == TextFault::kInvalid) {
    return std::string("the ") + side + " is not valid UTF-8" + where +
           "; convert the file with iconv";
  }
  const CodePoint point = decode_utf8(text.data() + scan.at, text.data() + text.size());
  char name[16];
  std::snprintf(name, sizeof name, "U+%04X", static_cast<unsigned>(point.value));
  return std::string("the ") + side + " has the control character " + name + where +
         "; take it out";
}

}  // namespace

std::string check_frame(std::string_view line, bool is_first_line) {
  if (is_first_line && line.starts_with(kByteOrderMark)) {
    return "starts with a byte order mark; take it out with sed -i '1s/^\\xEF\\xBB\\xBF//'";
  }
  if (line.ends_with('\r')) {
    return "ends in CR LF, as on Windows; convert the file with sed -i 's/\\r$//'";
  }
  return line.empty() ? "is empty" : "";
}

std::string check_tab(std::string_view line) {
  const std::size_t tab = line.find('\t');
  if (tab == std::string_view::npos) return "no tab between source and target";
  if (line.find('\t', tab + 1) == std::string_view::npos) return "";
  return "more than one tab; there must be one, between source and target";
}

std::string check_side(std::string_view text, const char* side, TokenKind kind, int max_length,
                       std::int64_t& tokens) {
  if (text.empty()) return std::string("the ") + side + " is empty";
  const TextScan scan = scan_text(text);
  if (scan.fault != TextFault::kNone) return describe(scan, text, side);
  const bool words = kind == TokenKind::kWords;
  tokens = words ? count_tokens(text, kind) : scan.characters;
  if (tokens == 0) return std::string("the ") + side + " has no word";
  if (tokens <= max_length) return "";
  return std::string("the ") + side + " has " + std::to_string(tokens) +
         (words ? " words" : " characters") +
         ", more than max_length = " + std::to_string(max_length);
}

}  // namespace traind
