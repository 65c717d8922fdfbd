#include "model/checkpoint/header.h"

#include <algorithm>
#include <utility>

#include "model/base/error.h"
#include "model/checkpoint/json_text.h"

namespace traind {
namespace {

Error corrupt(const std::string& what) { return {ErrorKind::kCorrupt, "header: " + what}; }

Metadata parse_metadata(JsonReader& reader) {
  Metadata metadata;
  reader.expect('{');
  if (reader.accept('}')) return metadata;
  do {
    std::string key = reader.string();
    reader.expect(':');
    std::string value = reader.string();
    const auto [at, is_new] = metadata.emplace(std::move(key), std::move(value));
    if (!is_new) throw corrupt("metadata \"" + at->first + "\" stands there twice");
  } while (reader.accept(','));
  reader.expect('}');
  return metadata;
}

std::vector<std::int64_t> parse_shape(JsonReader& reader) {
  std::vector<std::int64_t> shape;
  reader.expect('[');
  if (reader.accept(']')) return shape;
  do {
    shape.push_back(static_cast<std::int64_t>(reader.integer()));
  } while (reader.accept(','));
  reader.expect(']');
  return shape;
}

HeaderEntry parse_entry(JsonReader& reader, std::string name) {
  HeaderEntry entry;
  entry.name = std::move(name);
  bool has_dtype = false;
  bool has_shape = false;
  bool has_offsets = false;
  const auto first_time = [&](bool& seen, const std::string& key) {
    if (std::exchange(seen, true)) {
      throw corrupt("tensor \"" + entry.name + "\" has " + key + " twice");
    }
  };
  reader.expect('{');
  do {
    const std::string key = reader.string();
    reader.expect(':');
    if (key == "dtype") {
      first_time(has_dtype, key);
      entry.dtype = reader.string();
    } else if (key == "shape") {
      first_time(has_shape, key);
      entry.shape = parse_shape(reader);
    } else if (key == "data_offsets") {
      first_time(has_offsets, key);
      reader.expect('[');
      entry.begin = reader.integer();
      reader.expect(',');
      entry.end = reader.integer();
      reader.expect(']');
    } else {
      throw corrupt("tensor \"" + entry.name + "\" has an unknown key \"" + key + "\"");
    }
  } while (reader.accept(','));
  reader.expect('}');
  if (!has_dtype || !has_shape || !has_offsets) {
    throw corrupt("tensor \"" + entry.name + "\" lacks dtype, shape or data_offsets");
  }
  return entry;
}

void refuse_duplicates(const std::vector<HeaderEntry>& tensors) {
  std::vector<std::string_view> names;
  names.reserve(tensors.size());
  for (const HeaderEntry& entry : tensors) names.push_back(entry.name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) {
    throw corrupt("tensor \"" + std::string(*twice) + "\" stands there twice");
  }
}

}  // namespace

Header parse_header(std::string_view text) {
  // The format wants the brace first; white space is for the end alone.
  if (!text.starts_with('{')) throw corrupt("it does not start with {");
  JsonReader reader(text);
  Header header;
  bool has_metadata = false;
  reader.expect('{');
  if (!reader.accept('}')) {
    do {
      std::string name = reader.string();
      reader.expect(':');
      if (name != "__metadata__") {
        header.tensors.push_back(parse_entry(reader, std::move(name)));
        continue;
      }
      if (std::exchange(has_metadata, true)) throw corrupt("__metadata__ stands there twice");
      header.metadata = parse_metadata(reader);
    } while (reader.accept(','));
    reader.expect('}');
  }
  reader.end();
  refuse_duplicates(header.tensors);
  return header;
}

void append_entry(std::string& out, const HeaderEntry& entry) {
  append_quoted(out, entry.name);
  out += ":{\"dtype\":";
  append_quoted(out, entry.dtype);
  out += ",\"shape\":[";
  for (std::size_t i = 0; i < entry.shape.size(); ++i) {
    if (i > 0) out += ',';
    out += std::to_string(entry.shape[i]);
  }
  out +=
      "],\"data_offsets\":[" + std::to_string(entry.begin) + ',' + std::to_string(entry.end) + "]}";
}

}  // namespace traind
