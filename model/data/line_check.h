// What makes a line unusable, in words that name the remedy.
//
// Pure functions; safe on any thread. An empty string means that nothing is wrong.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/data/corpus_settings.h"

namespace traind {

// Faults of a whole line: a byte order mark (first line only), CR LF, no content.
std::string check_frame(std::string_view line, bool is_first_line);

// Faults of the place of the one tab that parts source and target.
std::string check_tab(std::string_view line);

// Faults of one side: nothing there, not UTF-8, a control character, too many tokens. `tokens` is
// their number when nothing is wrong. `side` stands in the message: "source", "target" or "line".
std::string check_side(std::string_view text, const char* side, TokenKind kind, int max_length,
                       std::int64_t& tokens);

}  // namespace traind
