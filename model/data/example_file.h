// The file, or the two aligned files, that examples stand in: read front to back with every check,
// and again by offset.
//
// Owns the mappings; views into them are valid as long as it lives. Immutable after construction;
// safe on any thread. Waits for the disk.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "model/data/corpus_settings.h"
#include "model/data/line_index.h"
#include "model/data/mapped_file.h"

namespace traind {

// Nothing is ever altered: a line is used as it stands, or it is a bad line. So a byte order mark
// and a carriage return at a line's end are faults, not things to strip.
struct ScannedLine {
  std::int64_t number = 0;      // 1-based
  std::uint64_t source_at = 0;  // offsets of the two sides' lines
  std::uint64_t target_at = 0;
  std::string_view source;  // as Sides has them
  std::string_view target;
  std::int64_t target_tokens = 0;
  // xxh64 of the line; of "parallel" and "dictionary": source, tab, target.
  std::uint64_t hash = 0;
  // Lines of one group are never parted: `hash`; of "dictionary" xxh64 of the word.
  std::uint64_t group = 0;
  bool comment = false;  // neither an example nor a fault; the rest is unset
  std::string problem;   // empty = usable; else what follows is its file, the rest is unset
  std::string_view bad_file;
};

class ExampleFile {
 public:
  // Two paths for "parallel", else `target` alone. Throws as open_text_file() does.
  ExampleFile(const DataSection& data, const std::string& source, const std::string& target,
              const std::string& cache_folder, const std::function<void()>& on_progress);

  // Shows every line in order until `visit` returns false; the line is valid until then. Throws
  // Error(kData) when one of two files has more lines, which is found when the shorter one ends.
  void scan(const std::function<bool(const ScannedLine&)>& visit,
            const std::function<void()>& on_progress) const;

  // What stands in the file. "lines": both are the clean line; "text": there is no source, and it
  // is empty; "dictionary": the target is the symbols with the white space that is between them.
  struct Sides {
    std::string_view source;
    std::string_view target;
  };
  // The example at the offsets that scan() has given.
  Sides at(std::uint64_t source_at, std::uint64_t target_at) const;

  // Shows the examples of an index in its order. Like scan(), it asks the kernel to read ahead:
  // expect_random() says when that is over.
  void walk(const LineIndex& index, const std::function<void(const Sides&)>& visit,
            const std::function<void()>& on_progress) const;

  bool has_two_files() const { return source_ != nullptr; }
  // Tells the kernel that at() will be called here and there.
  void expect_random() const noexcept;
  // What errors about the whole call it: the path of the target.
  const std::string& name() const { return target_.path(); }

 private:
  void scan_pairs(const std::function<bool(const ScannedLine&)>& visit,
                  const std::function<void()>& on_progress) const;

  DataSection data_;
  std::unique_ptr<const MappedFile> source_;  // "parallel" only
  MappedFile target_;
};

}  // namespace traind
