// Text between quotes, as file formats want it. Pure functions; safe on any thread.
#pragma once

#include <string>

namespace traind {

// A TOML basic string, quoted and escaped, so that it may also be shown. It reads back as `text`; a
// byte that is not UTF-8, which TOML cannot hold, as U+FFFD.
std::string toml_quoted(const std::string& text);

}  // namespace traind
