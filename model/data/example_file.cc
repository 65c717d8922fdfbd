#include "model/data/example_file.h"

#include <optional>
#include <utility>

#include "model/base/error.h"
#include "model/base/xxh64.h"
#include "model/data/dictionary.h"
#include "model/data/line_check.h"
#include "model/data/line_cursor.h"
#include "model/data/reading_pace.h"
#include "model/data/text_file.h"

namespace traind {
namespace {

std::string_view line_at(const MappedFile& file, std::uint64_t offset) {
  const std::string_view rest = file.bytes().substr(offset);
  return rest.substr(0, rest.find('\n'));
}

// The sides of a format whose examples are one line each. Of "tsv" they part at the first tab; a
// line without one (the file has been changed) is all source.
ExampleFile::Sides part(CorpusFormat format, std::string_view line) {
  if (format == CorpusFormat::kText) return {{}, line};
  if (format == CorpusFormat::kDictionary) {
    const DictionaryEntry entry = parse_dictionary_line(line);
    return {entry.word, entry.symbols};
  }
  if (format != CorpusFormat::kTsv) return {line, line};
  const std::size_t tab = line.find('\t');
  if (tab == std::string_view::npos) return {line, {}};
  return {line.substr(0, tab), line.substr(tab + 1)};
}

// Two sides under the names that the messages give them.
void check_sides(const DataSection& data, std::string_view target, const char* source_name,
                 const char* target_name, ScannedLine& found) {
  std::int64_t source_tokens = 0;
  found.problem =
      check_side(found.source, source_name, data.source_tokens, data.max_length, source_tokens);
  if (!found.problem.empty()) return;
  found.problem =
      check_side(target, target_name, data.target_tokens, data.max_length, found.target_tokens);
}

std::uint64_t hash_of_pair(std::string_view source, std::string_view target) {
  Xxh64 hash;
  hash.update(source.data(), source.size());
  hash.update("\t", 1);
  hash.update(target.data(), target.size());
  return hash.digest();
}

void check_entry(const DataSection& data, ScannedLine& found) {
  const std::string symbols = joined_symbols(found.target);
  check_sides(data, symbols, "word", "pronunciation", found);
  if (!found.problem.empty()) return;
  found.hash = hash_of_pair(found.source, symbols);
  found.group = xxh64(found.source.data(), found.source.size());
}

// One line that is both sides.
void check_clean(const DataSection& data, ScannedLine& found) {
  found.problem =
      check_side(found.target, "line", data.target_tokens, data.max_length, found.target_tokens);
  const bool has_source = data.format != CorpusFormat::kText;
  if (!found.problem.empty() || !has_source || data.source_tokens == data.target_tokens) return;
  std::int64_t source_tokens = 0;
  found.problem =
      check_side(found.source, "line", data.source_tokens, data.max_length, source_tokens);
}

void read_single(const DataSection& data, const LineCursor& cursor, ScannedLine& found) {
  const std::string_view line = cursor.line();
  found.number = cursor.number();
  found.source_at = found.target_at = cursor.offset();
  found.comment = data.format == CorpusFormat::kDictionary && is_dictionary_comment(line);
  if (found.comment) return;
  found.problem = check_frame(line, found.number == 1);
  const bool tsv = data.format == CorpusFormat::kTsv;
  if (found.problem.empty() && tsv) found.problem = check_tab(line);
  if (!found.problem.empty()) return;
  const ExampleFile::Sides sides = part(data.format, line);
  found.source = sides.source;
  found.target = sides.target;
  if (data.format == CorpusFormat::kDictionary) {
    check_entry(data, found);
    return;
  }
  tsv ? check_sides(data, found.target, "source", "target", found) : check_clean(data, found);
  if (found.problem.empty()) found.group = found.hash = xxh64(line.data(), line.size());
}

void read_pair(const DataSection& data, const LineCursor& source, const LineCursor& target,
               ScannedLine& found) {
  found.number = target.number();
  found.source_at = source.offset();
  found.target_at = target.offset();
  found.source = source.line();
  found.target = target.line();
  found.bad_file = source.file().path();
  found.problem = check_frame(found.source, found.number == 1);
  std::int64_t source_tokens = 0;
  if (found.problem.empty()) {
    found.problem =
        check_side(found.source, "source", data.source_tokens, data.max_length, source_tokens);
  }
  if (!found.problem.empty()) return;
  found.bad_file = target.file().path();
  found.problem = check_frame(found.target, found.number == 1);
  if (found.problem.empty()) {
    found.problem = check_side(found.target, "target", data.target_tokens, data.max_length,
                               found.target_tokens);
  }
  if (!found.problem.empty()) return;
  found.group = found.hash = hash_of_pair(found.source, found.target);
}

[[noreturn]] void refuse_unequal(LineCursor& longer, const LineCursor& shorter) {
  const std::int64_t first = longer.number();
  while (longer.next()) {
  }
  const std::string& path = longer.file().path();
  throw Error(ErrorKind::kData,
              path + ":" + std::to_string(first) + ": has no counterpart: " + path + " has " +
                  std::to_string(longer.number()) + " lines and " + shorter.file().path() +
                  " has " + std::to_string(shorter.number()) +
                  "; line N of one must belong to line N of the other");
}

}  // namespace

ExampleFile::ExampleFile(const DataSection& data, const std::string& source,
                         const std::string& target, const std::string& cache_folder,
                         const std::function<void()>& on_progress)
    : data_(data),
      source_(data.format == CorpusFormat::kParallel
                  ? std::make_unique<const MappedFile>(
                        open_text_file(source, cache_folder, on_progress))
                  : nullptr),
      target_(open_text_file(target, cache_folder, on_progress)) {}

void ExampleFile::scan(const std::function<bool(const ScannedLine&)>& visit,
                       const std::function<void()>& on_progress) const {
  if (has_two_files()) {
    scan_pairs(visit, on_progress);
    return;
  }
  LineCursor cursor(target_, on_progress);
  ScannedLine found;
  found.bad_file = target_.path();
  while (cursor.next()) {
    read_single(data_, cursor, found);
    if (!visit(found)) return;
  }
}

void ExampleFile::scan_pairs(const std::function<bool(const ScannedLine&)>& visit,
                             const std::function<void()>& on_progress) const {
  LineCursor source(*source_, on_progress);
  LineCursor target(target_, on_progress);
  ScannedLine found;
  for (;;) {
    const bool has_source = source.next();
    const bool has_target = target.next();
    if (has_source != has_target) {
      has_source ? refuse_unequal(source, target) : refuse_unequal(target, source);
    }
    if (!has_source) return;
    read_pair(data_, source, target, found);
    if (!visit(found)) return;
  }
}

ExampleFile::Sides ExampleFile::at(std::uint64_t source_at, std::uint64_t target_at) const {
  const std::string_view line = line_at(target_, target_at);
  if (has_two_files()) return {line_at(*source_, source_at), line};
  return part(data_.format, line);
}

void ExampleFile::walk(const LineIndex& index, const std::function<void(const Sides&)>& visit,
                       const std::function<void()>& on_progress) const {
  ReadingPace target_pace(target_, on_progress);
  std::optional<ReadingPace> source_pace;
  if (has_two_files()) source_pace.emplace(*source_, on_progress);
  for (std::int64_t i = 0; i < index.size(); ++i) {
    target_pace.reach(index.target_at(i));
    if (source_pace) source_pace->reach(index.source_at(i));
    visit(at(index.source_at(i), index.target_at(i)));
  }
}

void ExampleFile::expect_random() const noexcept {
  target_.expect_random();
  if (source_) source_->expect_random();
}

}  // namespace traind
