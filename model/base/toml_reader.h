// A TOML file whose keys are asked for one by one; what nobody asked for is an error.
//
// Every failure is Error(kConfig) that begins with "FILE:LINE: ". Owned by whoever parses; not
// thread-safe. A table is named by its header, "" is the top of the file. Only tables of plain
// values are known, one level deep, which is all that a run file and a daemon file need.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/base/error.h"

namespace traind {

class TomlReader {
 public:
  // `path` names the file in errors only. Throws Error(kConfig) on a syntax error.
  TomlReader(const std::string& text, const std::string& path);
  ~TomlReader();
  TomlReader(const TomlReader&) = delete;
  TomlReader& operator=(const TomlReader&) = delete;

  // Each returns the fallback when the key is not there, and throws when its type or value is
  // wrong. Bounds are inclusive. A whole number is accepted where a fraction is expected.
  std::string text(const std::string& table, const std::string& key, const std::string& fallback);
  std::int64_t integer(const std::string& table, const std::string& key, std::int64_t fallback,
                       std::int64_t least, std::int64_t most);
  double number(const std::string& table, const std::string& key, double fallback, double least,
                double most);
  bool boolean(const std::string& table, const std::string& key, bool fallback);
  std::vector<std::string> texts(const std::string& table, const std::string& key,
                                 const std::vector<std::string>& fallback);
  // One of `allowed`.
  std::string choice(const std::string& table, const std::string& key, const std::string& fallback,
                     const std::vector<std::string>& allowed);

  // Whether the file sets the key; counts as asking for it.
  bool has(const std::string& table, const std::string& key);
  // Likewise, to a text in quotes: for a key that takes a number or a word.
  bool is_text(const std::string& table, const std::string& key);

  // Throws for the first key or table, in the order of the file, that was never asked for, and
  // names the nearest one that was.
  void refuse_unknown() const;

  // Error(kConfig) at the key's line (or the file's name alone when it is not set).
  Error error_at(const std::string& table, const std::string& key,
                 const std::string& message) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace traind
