// Bytes as text of one line, RFC 4648's base64 with padding. Pure functions; safe on any thread.
#pragma once

#include <string>
#include <string_view>

namespace traind {

std::string base64(std::string_view bytes);

// Whether `text` is base64 and nothing else, white space included; then `bytes` holds what it says.
// Strict: each sequence of bytes has one text that is accepted.
bool from_base64(std::string_view text, std::string& bytes);

}  // namespace traind
