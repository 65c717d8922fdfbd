#include "model/base/toml_reader.h"

#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <sstream>
#include <string_view>

#include "model/base/edit_distance.h"
#include "model/base/quoting.h"

namespace traind {
namespace {

std::string full_name(const std::string& table, const std::string& key) {
  return table.empty() ? key : table + "." + key;
}

// Parts of a name do not come so many. toml++ puts a table into a table for each part and takes
// them apart by recursion, so that a key of a hundred thousand parts would exhaust the stack.
constexpr int kMostParts = 32;

// Behind the string that begins at `at`; counts the lines in it.
std::size_t end_of_string(std::string_view text, std::size_t at, std::size_t& line) {
  const char quote = text[at];
  const std::string_view fence = text.substr(at, 3);
  const bool long_one = fence.size() == 3 && fence[1] == quote && fence[2] == quote;
  for (at += long_one ? 3 : 1; at < text.size(); ++at) {
    if (text[at] == '\n') {
      if (!long_one) return at;  // the parser will say that it does not end
      ++line;
    } else if (text[at] == '\\' && quote == '"') {
      ++at;
      if (at < text.size() && text[at] == '\n') ++line;
    } else if (text[at] == quote && (!long_one || text.substr(at, 3) == fence)) {
      return at + (long_one ? 3 : 1);
    }
  }
  return text.size();
}

// The line of the first key with more than kMostParts parts; 0 = there is none.
std::size_t line_of_deep_key(std::string_view text) {
  std::size_t line = 1;
  int dots = 0;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '"' || c == '\'') {
      at = end_of_string(text, at, line);
      continue;
    }
    if (c == '#') {
      at = std::min(text.find('\n', at), text.size());
      continue;
    }
    if (c == '.' && ++dots >= kMostParts) return line;
    if (std::string_view("\n=,[]{}").find(c) != std::string_view::npos) dots = 0;
    if (c == '\n') ++line;
    ++at;
  }
  return 0;
}

// The nearest of `known`, as "; did you mean 'x'?"; empty when none is near.
std::string suggestion(const std::string& word, const std::set<std::string>& known) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : known) {
    // A word from the file may be long, and the distance takes time for the product of both.
    if (word.size() >= candidate.size() + best_distance) continue;
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best.empty() ? "" : "; did you mean '" + best + "'?";
}

std::string printed(double value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "\"" : ", \"") + word + "\"";
  return text;
}

}  // namespace

struct TomlReader::Impl {
  std::string path;
  toml::table root;
  std::map<std::string, std::set<std::string>> asked;  // table -> keys

  std::string where(const toml::node* node) const {
    if (node == nullptr || node->source().begin.line == 0) return path + ": ";
    return path + ":" + std::to_string(node->source().begin.line) + ": ";
  }

  const toml::node* find(const std::string& table, const std::string& key) const {
    const toml::table* holder = table.empty() ? &root : root[table].as_table();
    return holder == nullptr ? nullptr : holder->get(key);
  }

  // Also marks the key as known.
  const toml::node* ask(const std::string& table, const std::string& key) {
    asked[table].insert(key);
    if (!table.empty()) {
      const toml::node* holder = root.get(table);
      if (holder != nullptr && !holder->is_table()) {
        throw Error(ErrorKind::kConfig, where(holder) + "[" + table + "] must be a table");
      }
    }
    return find(table, key);
  }

  [[noreturn]] void wrong_type(const toml::node* node, const std::string& table,
                               const std::string& key, const char* expected) const {
    throw Error(ErrorKind::kConfig, where(node) + full_name(table, key) + " must be " + expected);
  }

  // The system would take a path, or a name, to end there.
  void refuse_zero(const std::string& text, const toml::node* node, const std::string& table,
                   const std::string& key) const {
    if (text.find('\0') == std::string::npos) return;
    throw Error(ErrorKind::kConfig, where(node) + full_name(table, key) + " has a zero byte in it");
  }

  void refuse_unknown_in(const std::string& table, const toml::table& content) const {
    static const std::set<std::string> kNone;
    const auto known = asked.find(table);
    const std::set<std::string>& keys = known == asked.end() ? kNone : known->second;
    // The file's order, not the map's: the first mistake is reported first.
    std::vector<std::pair<const toml::node*, std::string>> unknown;
    for (const auto& [key, node] : content) {
      const std::string name(key.str());
      if (keys.contains(name) || (table.empty() && asked.contains(name))) continue;
      unknown.emplace_back(&node, name);
    }
    if (unknown.empty()) return;
    const auto first =
        std::min_element(unknown.begin(), unknown.end(), [](const auto& a, const auto& b) {
          return a.first->source().begin.line < b.first->source().begin.line;
        });
    std::set<std::string> candidates = keys;
    const bool is_table = first->first->is_table();
    if (is_table && table.empty()) {
      candidates.clear();
      for (const auto& [name, unused] : asked) candidates.insert(name);
    }
    throw Error(ErrorKind::kConfig, where(first->first) +
                                        (is_table ? "unknown table [" : "unknown key '") +
                                        full_name(table, first->second) + (is_table ? "]" : "'") +
                                        suggestion(first->second, candidates));
  }
};

TomlReader::TomlReader(const std::string& text, const std::string& path)
    : impl_(std::make_unique<Impl>()) {
  impl_->path = path;
  if (const std::size_t line = line_of_deep_key(text); line > 0) {
    throw Error(ErrorKind::kConfig, path + ":" + std::to_string(line) + ": a key of more than " +
                                        std::to_string(kMostParts) + " parts");
  }
  try {
    impl_->root = toml::parse(text, path);
  } catch (const toml::parse_error& error) {
    throw Error(ErrorKind::kConfig, path + ":" + std::to_string(error.source().begin.line) + ": " +
                                        std::string(error.description()));
  }
}

TomlReader::~TomlReader() = default;

std::string TomlReader::text(const std::string& table, const std::string& key,
                             const std::string& fallback) {
  const toml::node* node = impl_->ask(table, key);
  if (node == nullptr) return fallback;
  const auto value = node->value_exact<std::string>();
  if (!value) impl_->wrong_type(node, table, key, "text in quotes");
  impl_->refuse_zero(*value, node, table, key);
  return *value;
}

std::int64_t TomlReader::integer(const std::string& table, const std::string& key,
                                 std::int64_t fallback, std::int64_t least, std::int64_t most) {
  const toml::node* node = impl_->ask(table, key);
  if (node == nullptr) return fallback;
  const auto value = node->value_exact<std::int64_t>();
  if (!value) impl_->wrong_type(node, table, key, "a whole number");
  if (*value < least || *value > most) {
    throw error_at(table, key,
                   full_name(table, key) + " = " + std::to_string(*value) + " is not between " +
                       std::to_string(least) + " and " + std::to_string(most));
  }
  return *value;
}

double TomlReader::number(const std::string& table, const std::string& key, double fallback,
                          double least, double most) {
  const toml::node* node = impl_->ask(table, key);
  if (node == nullptr) return fallback;
  if (!node->is_number()) impl_->wrong_type(node, table, key, "a number");
  const double value = *node->value<double>();
  if (!(value >= least && value <= most)) {
    throw error_at(table, key,
                   full_name(table, key) + " = " + printed(value) + " is not between " +
                       printed(least) + " and " + printed(most));
  }
  return value;
}

bool TomlReader::boolean(const std::string& table, const std::string& key, bool fallback) {
  const toml::node* node = impl_->ask(table, key);
  if (node == nullptr) return fallback;
  const auto value = node->value_exact<bool>();
  if (!value) impl_->wrong_type(node, table, key, "true or false");
  return *value;
}

std::vector<std::string> TomlReader::texts(const std::string& table, const std::string& key,
                                           const std::vector<std::string>& fallback) {
  const toml::node* node = impl_->ask(table, key);
  if (node == nullptr) return fallback;
  const toml::array* array = node->as_array();
  if (array == nullptr) impl_->wrong_type(node, table, key, "a list of texts");
  std::vector<std::string> values;
  for (const toml::node& element : *array) {
    const auto value = element.value_exact<std::string>();
    if (!value) impl_->wrong_type(&element, table, key, "a list of texts");
    impl_->refuse_zero(*value, &element, table, key);
    values.push_back(*value);
  }
  return values;
}

std::string TomlReader::choice(const std::string& table, const std::string& key,
                               const std::string& fallback,
                               const std::vector<std::string>& allowed) {
  std::string value = text(table, key, fallback);
  if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return value;
  throw error_at(table, key,
                 full_name(table, key) + " = " + toml_quoted(value) + " is not known; it can be " +
                     joined(allowed) + suggestion(value, {allowed.begin(), allowed.end()}));
}

bool TomlReader::has(const std::string& table, const std::string& key) {
  return impl_->ask(table, key) != nullptr;
}

bool TomlReader::is_text(const std::string& table, const std::string& key) {
  const toml::node* node = impl_->ask(table, key);
  return node != nullptr && node->is_string();
}

void TomlReader::refuse_unknown() const {
  impl_->refuse_unknown_in("", impl_->root);
  for (const auto& [table, keys] : impl_->asked) {
    const toml::table* content = table.empty() ? nullptr : impl_->root[table].as_table();
    if (content != nullptr) impl_->refuse_unknown_in(table, *content);
  }
}

Error TomlReader::error_at(const std::string& table, const std::string& key,
                           const std::string& message) const {
  return {ErrorKind::kConfig, impl_->where(impl_->find(table, key)) + message};
}

}  // namespace traind
