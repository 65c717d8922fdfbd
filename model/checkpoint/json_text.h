// The little JSON that a checkpoint's header needs: quoting strings, and reading strings, whole
// numbers and punctuation one after another. Strict (RFC 8259, UTF-8 only) and without recursion,
// so that no input can exhaust the stack. Values; safe on any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace traind {

// Appends `text` as a JSON string. Throws Error(kInternal) when it is not UTF-8.
void append_quoted(std::string& out, std::string_view text);

// Reads a text from front to back. Every method but accept() throws Error(kCorrupt) naming the
// place when something else stands there. The text must outlive the reader.
class JsonReader {
 public:
  explicit JsonReader(std::string_view text) noexcept : text_(text) {}

  // Takes `wanted` if it is next after white space.
  bool accept(char wanted) noexcept;
  void expect(char wanted);
  std::string string();
  // Without sign, fraction or exponent, below 2^63.
  std::uint64_t integer();
  // Only white space may be left.
  void end();

 private:
  [[noreturn]] void fail(const std::string& why) const;
  void skip_white_space() noexcept;
  void append_escape(std::string& out);
  std::uint32_t four_hex_digits();

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace traind
