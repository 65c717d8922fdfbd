#include "notifier/mime.h"

#include <algorithm>
#include <vector>

#include "model/base/base64.h"
#include "notifier/safe_text.h"

namespace traind {
namespace {

constexpr std::size_t kHeaderColumns = 78;
constexpr std::size_t kEncodedColumns = 76;  // RFC 2047, 2: of a line with an encoded-word
constexpr std::size_t kBodyColumns = 76;

void append_hex(std::string& out, char byte) {
  constexpr const char* kDigits = "0123456789ABCDEF";
  const unsigned char value = static_cast<unsigned char>(byte);
  out += '=';
  out += kDigits[value >> 4];
  out += kDigits[value & 15];
}

// One line without its end.
std::string quoted_line(std::string_view line) {
  std::string out;
  std::size_t column = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    const bool last = i + 1 == line.size();
    const bool plain = (c >= '!' && c <= '~' && c != '=') || (c == ' ' && !last);
    const bool mbox = i == 0 && line.substr(0, 5) == "From ";
    const std::size_t size = plain && !mbox ? 1 : 3;
    // One column stays free for the soft line break's "=".
    if (column + size > kBodyColumns - (last ? 0 : 1)) {
      out += "=\r\n";
      column = 0;
    }
    if (size == 1) {
      out += c;
    } else {
      append_hex(out, c);
    }
    column += size;
  }
  return out;
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

// Words by single spaces: header values have no use for more.
std::vector<std::string> words_of(const std::string& text) { return wrapped(text, 1); }

// "NAME:" and the words, a new line before each that would pass the edge.
std::string folded(std::string_view name, const std::vector<std::string>& words) {
  std::string header = std::string(name) + ":";
  std::size_t column = header.size();
  for (const std::string& word : words) {
    if (column + 1 + word.size() > kHeaderColumns && column > 1) {
      header += "\r\n";
      column = 0;
    }
    header += " " + word;
    column += 1 + word.size();
  }
  return header + "\r\n";
}

// RFC 2047 "B" words; `used` columns of the first line are taken. No character is split.
std::vector<std::string> encoded_words(std::string_view text, std::size_t used) {
  constexpr std::size_t kFrame = 12;  // =?UTF-8?B?...?=
  std::vector<std::string> words;
  while (!text.empty()) {
    const std::size_t room = kEncodedColumns - kFrame - used;
    std::size_t bytes = std::min(text.size(), room / 4 * 3);
    while (bytes > 0 && bytes < text.size() &&
           (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80) {
      --bytes;
    }
    words.push_back("=?UTF-8?B?" + base64(text.substr(0, bytes)) + "?=");
    text.remove_prefix(bytes);
    used = 1;
  }
  return words;
}

// Text that every reader takes as it stands: ASCII, no "=?", and foldable.
bool is_plain(const std::vector<std::string>& words, std::size_t name_size) {
  return std::all_of(words.begin(), words.end(), [name_size](const std::string& word) {
    return is_ascii(word) && word.find("=?") == std::string::npos &&
           word.size() + name_size + 2 <= kHeaderColumns;
  });
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

}  // namespace

std::string quoted_printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    out += quoted_line(text.substr(0, end)) + "\r\n";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string base64_lines(std::string_view bytes) {
  constexpr std::size_t kBytesInLine = kBodyColumns / 4 * 3;
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += kBytesInLine) {
    out += base64(bytes.substr(i, kBytesInLine)) + "\r\n";
  }
  return out;
}

std::string text_header(std::string_view name, std::string_view value) {
  const std::vector<std::string> words = words_of(one_line(value));
  if (is_plain(words, name.size())) return folded(name, words);
  return folded(name, encoded_words(joined(words), name.size() + 2));
}

std::string token_header(std::string_view name, std::string_view value) {
  std::string kept;
  for (const char c : value) {
    if (c >= ' ' && c <= '~') kept += c;
  }
  return folded(name, words_of(kept));
}

std::string mailbox_header(std::string_view name, std::string_view display,
                           std::string_view address) {
  constexpr std::size_t kDisplayShown = 60;
  std::vector<std::string> words = words_of(one_line(display, kDisplayShown));
  if (!is_plain(words, name.size())) {
    words = encoded_words(joined(words), name.size() + 2);
  } else if (!words.empty()) {
    std::string quoted = "\"";
    for (const char c : joined(words)) {
      if (c == '"' || c == '\\') quoted += '\\';
      quoted += c;
    }
    words = words_of(quoted + "\"");
  }
  words.push_back("<" + std::string(address) + ">");
  return folded(name, words);
}

}  // namespace traind
