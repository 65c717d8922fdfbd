// Text between quotes, as file formats want it. Pure functions; safe on any thread.
#pragma once

#include <string>

namespace traind {

// A TOML basic string, quoted and escaped.
std::string toml_quoted(const std::string& text);

}  // namespace traind
