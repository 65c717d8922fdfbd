// What the fuzz targets have in common: how they call a parser, and how they say what must be true.
//
// One thread. A claim that does not hold ends the program, which libFuzzer reports with the input.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <string>

#include "model/base/error.h"
#include "model/base/xxh64.h"

namespace traind::fuzz {

inline void claim(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "A claim does not hold: %s\n", what);
  std::abort();
}

// Whether the parser took the input. It may refuse it with an Error of one of `kinds` that says
// something; whatever else it throws leaves the target, and libFuzzer reports it.
template <typename Parse>
bool accepts(std::initializer_list<ErrorKind> kinds, Parse&& parse) {
  try {
    parse();
    return true;
  } catch (const Error& error) {
    claim(std::find(kinds.begin(), kinds.end(), error.kind()) != kinds.end(),
          "an input is refused with a kind of error that fits");
    claim(error.what()[0] != '\0', "a refusal says why");
    return false;
  }
}

// Whether this input is one of the eighth for which what takes long is done too.
inline bool is_thorough(const std::uint8_t* data, std::size_t size) {
  return xxh64(data, size) % 8 == 0;
}

// A text whose end is the end of its memory, so that reading on is seen.
inline std::string text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace traind::fuzz
