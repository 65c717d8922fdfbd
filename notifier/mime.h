// The encodings of RFC 2045 and RFC 2047, and header lines that cannot be broken out of.
//
// Pure functions; safe on any thread. All output is 7-bit ASCII with CRLF line ends.
#pragma once

#include <string>
#include <string_view>

namespace traind {

// RFC 2045, 6.7; `text` has "\n" line ends. Lines of at most 76 characters; one that begins with
// "From " is encoded, so that an mbox file keeps it.
std::string quoted_printable(std::string_view text);

// RFC 2045, 6.8: lines of 76 characters.
std::string base64_lines(std::string_view bytes);

// "NAME: VALUE\r\n" for a value in words (Subject): made harmless, folded at 78 columns, and in
// encoded-words where it is not plain ASCII or could be read as one.
std::string text_header(std::string_view name, std::string_view value);

// "NAME: VALUE\r\n" for a value made of tokens and ids. What is not printable ASCII is left out;
// folded at spaces; a single id longer than a line stands alone on one.
std::string token_header(std::string_view name, std::string_view value);

// `NAME: "display" <address>\r\n`. `address` must have passed is_valid_address.
std::string mailbox_header(std::string_view name, std::string_view display,
                           std::string_view address);

}  // namespace traind
