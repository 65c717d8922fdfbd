#include "model/base/quoting.h"

#include <cstdio>
#include <string_view>

#include "model/base/plain_text.h"

namespace traind {

std::string toml_quoted(const std::string& text) {
  std::string out = "\"";
  for (std::string_view rest = text; !rest.empty();) {
    const TextPoint next = first_point(rest);
    if (next.code == '"' || next.code == '\\') {
      out += '\\';
      out += static_cast<char>(next.code);
    } else if (!next.valid || is_steering(next.code)) {
      const unsigned code = next.valid ? next.code : 0xFFFD;
      char escape[16];
      std::snprintf(escape, sizeof escape, code > 0xFFFF ? "\\U%08X" : "\\u%04X", code);
      out += escape;
    } else {
      out += rest.substr(0, next.bytes);
    }
    rest.remove_prefix(next.bytes);
  }
  return out + "\"";
}

}  // namespace traind
