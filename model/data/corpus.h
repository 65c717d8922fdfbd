// The examples of a run: lines on disk, split into training and held-out ones, by number.
//
// Holds offsets, not strings: 8 bytes a line and file. Plain files are mapped; .gz and .zst are
// unpacked once into a file of `cache_folder` that has no name and goes with the process. Immutable
// after open_corpus(); safe on any thread. Reading an example may wait for the disk. The files must
// stay as they are: an edit in place shows through, and cutting one short ends the process.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model/data/corpus_settings.h"
#include "model/data/vocabulary.h"

namespace traind {

struct Example {
  std::string source;
  std::string target;
};

// A line that cannot be used, e.g. {"train.tsv", 17, "no tab between source and target"}.
struct BadLine {
  std::string file;
  std::int64_t line = 0;  // 1-based
  std::string what;
};

struct CorpusReport {
  std::int64_t train_examples = 0;
  std::int64_t valid_examples = 0;
  std::int64_t skipped_lines = 0;  // bad ones, with bad_lines = "skip"
  std::vector<BadLine> first_bad;  // the first 20 of them
};

struct OpenOptions {
  std::string cache_folder;  // for unpacked files; must exist
  std::uint64_t seed = 1;    // of the run: noise
  // Called every few milliseconds of reading, by open_corpus() and later by the two vocabularies;
  // may be empty. The corpus keeps a copy. What it throws is passed on.
  std::function<void()> on_progress;
};

class Corpus {
 public:
  virtual ~Corpus() = default;
  virtual const CorpusReport& report() const = 0;
  // Hash of all lines used in their order, their split, and the settings that shape examples; not
  // of paths, compression or the seed. 16 hex digits.
  virtual std::string fingerprint() const = 0;
  // index < report().train_examples. `epoch` is 1-based and matters where noise is fresh.
  virtual Example train(std::int64_t index, int epoch) const = 0;
  // index < report().valid_examples. The same for ever.
  virtual Example valid(std::int64_t index) const = 0;
  // The targets that count as right for valid(index): in a dictionary all held-out ones with its
  // source, in the order of the file, and nothing when an earlier held-out example has that source
  // and speaks for it. Elsewhere its own target.
  virtual std::vector<std::string> references(std::int64_t index) const = 0;
  // Tokens in the target of a training example: what batches are grouped by. Cheap. Of subwords it
  // is the number of characters, as pieces are not known before the vocabulary is.
  virtual int train_length(std::int64_t index) const = 0;
  // Built from the training lines (both sides of a noisy corpus have the clean lines' alphabet; the
  // sources of "text" have none). Reads all of them again, a few hundred MB/s: ask once and keep
  // the result. Subwords are learnt as subwords.h says, or read from the file that is given, which
  // throws Error(kNotFound), Error(kIo), and Error(kData) when it is no sentencepiece model.
  virtual Vocabulary source_vocabulary() const = 0;
  virtual Vocabulary target_vocabulary() const = 0;
};

// Reads and checks every line. Bad lines (not strict UTF-8, a control character other than tab,
// CR LF, a byte order mark, an empty line or side, not exactly one tab in "tsv", more than
// max_length tokens, for subwords: characters) are refused, the first as an error, or left out,
// counted and reported; no line is altered. Files of unequal length are refused either way: no pair
// of them can be trusted.
//
// With `limit`, reading ends after so many usable lines of train. Of those, the ones held out are
// given by smallest hash: at most valid_fraction of all hashes and valid_limit lines; the others
// train. Equal lines are never parted, nor are the pronunciations of one word in "dictionary",
// where the word's hash decides. With a file of their own, the valid_limit smallest are used.
//
// In "dictionary" comments are passed over, a line that stands there twice is two examples, and
// symbols come out with one space between them (dictionary.h).
//
// Throws Error(kData) naming file and line; also when nothing is left to train on or to hold out.
// Throws Error(kNotFound), Error(kIo), Error(kNoSpace).
std::unique_ptr<Corpus> open_corpus(const DataSection& data, const NoiseSection& noise,
                                    const OpenOptions& options);

}  // namespace traind
