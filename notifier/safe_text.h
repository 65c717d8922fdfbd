// What a mail makes of harmless text (model/base/plain_text.h): HTML, and lines of a width.
//
// Pure functions on valid UTF-8; safe on any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "model/base/plain_text.h"

namespace traind {

// For element content and quoted attributes: & < > " ' are escaped. Wants harmless text already.
std::string html_escaped(std::string_view text);

// Broken at spaces into lines of at most `width` code points; a longer word stands alone.
std::vector<std::string> wrapped(std::string_view text, std::size_t width);

}  // namespace traind
