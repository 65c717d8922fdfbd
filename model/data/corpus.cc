#include "model/data/corpus.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <unordered_map>
#include <utility>

#include "model/base/error.h"
#include "model/base/philox.h"
#include "model/base/xxh64.h"
#include "model/data/corpus_fingerprint.h"
#include "model/data/dictionary.h"
#include "model/data/example_file.h"
#include "model/data/line_index.h"
#include "model/data/mapped_file.h"
#include "model/data/noise.h"
#include "model/data/split.h"
#include "model/data/subwords.h"
#include "model/data/token_counter.h"

namespace traind {
namespace {

constexpr std::size_t kShownBadLines = 20;
// BatchPlan draws 32-bit numbers.
constexpr std::int64_t kMostExamples = std::numeric_limits<std::uint32_t>::max();

bool has_valid_file(const DataSection& data) {
  return data.format == CorpusFormat::kParallel ? !data.valid_target.empty() : !data.valid.empty();
}

std::string in_words(const BadLine& bad) {
  return bad.file + ":" + std::to_string(bad.line) + ": " + bad.what;
}

// Goes through one corpus file: keeps where usable lines stand, deals with the bad ones.
class Reader {
 public:
  Reader(const DataSection& data, CorpusReport& report, Xxh64& fingerprint)
      : data_(data), report_(report), fingerprint_(fingerprint) {}

  // Lines whose hash lies within `fraction` become candidates() for being held out. limit 0 = all.
  LineIndex read(const ExampleFile& file, double fraction, std::int64_t limit,
                 const std::function<void()>& on_progress) {
    LineIndex index(file.has_two_files());
    candidates_.clear();
    lines_ = 0;
    file.scan(
        [&](const ScannedLine& line) {
          lines_ = line.number;
          if (line.comment) return true;
          if (line.problem.empty()) {
            keep(line, fraction, index);
          } else {
            reject(line);
          }
          return limit == 0 || index.size() < limit;
        },
        on_progress);
    if (index.size() == 0) refuse_useless(file);
    const std::int64_t size = index.size();
    fingerprint_.update(&size, sizeof size);
    return index;
  }

  std::vector<HashedLine> take_candidates() { return std::move(candidates_); }

 private:
  void keep(const ScannedLine& line, double fraction, LineIndex& index) {
    if (index.size() == kMostExamples) {
      throw Error(ErrorKind::kData, "more than " + std::to_string(kMostExamples) +
                                        " lines; set limit in the run file's [data] table");
    }
    if (is_in_fraction(line.group, fraction)) candidates_.push_back({line.group, index.size()});
    fingerprint_.update(&line.hash, sizeof line.hash);
    index.add(line.source_at, line.target_at, line.target_tokens);
  }

  void reject(const ScannedLine& line) {
    const BadLine bad{std::string(line.bad_file), line.number, line.problem};
    if (data_.bad_lines == BadLines::kRefuse) {
      throw Error(ErrorKind::kData,
                  in_words(bad) + " (bad_lines = \"skip\" leaves such lines out and counts them)");
    }
    ++report_.skipped_lines;
    if (report_.first_bad.size() < kShownBadLines) report_.first_bad.push_back(bad);
    if (!first_bad_.has_value()) first_bad_ = bad;
  }

  [[noreturn]] void refuse_useless(const ExampleFile& file) {
    if (lines_ == 0) {
      throw Error(ErrorKind::kData, file.name() + ":1: the file is empty; name one with examples");
    }
    const std::string none = file.name() + ": none of its " + std::to_string(lines_) + " lines ";
    if (!first_bad_.has_value()) throw Error(ErrorKind::kData, none + "has an example in it");
    throw Error(ErrorKind::kData, none + "can be used; the first: " + in_words(*first_bad_));
  }

  const DataSection& data_;
  CorpusReport& report_;
  Xxh64& fingerprint_;
  std::vector<HashedLine> candidates_;
  std::int64_t lines_ = 0;
  std::optional<BadLine> first_bad_;
};

class FileCorpus : public Corpus {
 public:
  FileCorpus(const DataSection& data, const NoiseSection& noise, const OpenOptions& options);

  const CorpusReport& report() const override { return report_; }
  std::string fingerprint() const override { return fingerprint_; }
  Example train(std::int64_t index, int epoch) const override;
  Example valid(std::int64_t index) const override;
  std::vector<std::string> references(std::int64_t index) const override;
  int train_length(std::int64_t index) const override;
  Vocabulary source_vocabulary() const override;
  Vocabulary target_vocabulary() const override;

 private:
  void open_files();
  void read_lines();
  void refuse_empty_split() const;
  void group_references();
  ExampleFile::Sides train_sides(std::int64_t index) const;
  ExampleFile::Sides valid_sides(std::int64_t index) const;
  std::string target_of(const ExampleFile::Sides& sides) const;
  Vocabulary vocabulary(TokenKind kind, const std::string& path, bool of_source) const;
  Vocabulary subwords(const std::string& path, bool of_source) const;
  TokenCounter count(TokenKind kind, bool of_source) const;
  NoiseAlphabet noise_alphabet() const;
  Example example(const ExampleFile::Sides& sides, const RandomStream& random) const;

  DataSection data_;
  NoiseSection noise_;
  OpenOptions options_;
  std::shared_ptr<const ExampleFile> train_file_;
  std::shared_ptr<const ExampleFile> valid_file_;  // train_file_ where a fraction is held out
  LineIndex train_;
  LineIndex valid_;
  NoiseAlphabet alphabet_;  // "lines" only: what noise draws characters from
  // "dictionary" only: the numbers of the held-out examples of each word, ascending.
  std::unordered_map<std::string, std::vector<std::int64_t>> valid_by_word_;
  CorpusReport report_;
  std::string fingerprint_;
};

FileCorpus::FileCorpus(const DataSection& data, const NoiseSection& noise,
                       const OpenOptions& options)
    : data_(data),
      noise_(noise),
      options_(options),
      train_(data.format == CorpusFormat::kParallel),
      valid_(data.format == CorpusFormat::kParallel) {
  open_files();
  read_lines();
  if (data_.format == CorpusFormat::kLines) alphabet_ = noise_alphabet();
  if (data_.format == CorpusFormat::kDictionary) group_references();
  train_file_->expect_random();
  valid_file_->expect_random();
}

void FileCorpus::open_files() {
  const bool pairs = data_.format == CorpusFormat::kParallel;
  const auto open = [this](const std::string& source, const std::string& target) {
    return std::make_shared<const ExampleFile>(data_, source, target, options_.cache_folder,
                                               options_.on_progress);
  };
  train_file_ = open(data_.train_source, pairs ? data_.train_target : data_.train);
  valid_file_ = train_file_;
  if (has_valid_file(data_)) {
    valid_file_ = open(data_.valid_source, pairs ? data_.valid_target : data_.valid);
  }
}

void FileCorpus::read_lines() {
  Xxh64 fingerprint;
  const std::string settings = shaping_settings(data_, noise_);
  fingerprint.update(settings.data(), settings.size());
  Reader reader(data_, report_, fingerprint);
  const bool own_file = has_valid_file(data_);

  train_ = reader.read(*train_file_, own_file ? 0 : data_.valid_fraction, data_.limit,
                       options_.on_progress);
  LineIndex whole_file(train_file_->has_two_files());
  if (own_file) whole_file = reader.read(*valid_file_, 1, 0, options_.on_progress);
  LineIndex& from = own_file ? whole_file : train_;

  const std::vector<std::int64_t> held_out =
      smallest_hashes(reader.take_candidates(), data_.valid_limit);
  fingerprint.update(held_out.data(), held_out.size() * sizeof held_out[0]);
  fingerprint_ = hex64(fingerprint.digest());
  valid_ = from.take_out(held_out);
  report_.train_examples = train_.size();
  report_.valid_examples = valid_.size();
  refuse_empty_split();
}

void FileCorpus::refuse_empty_split() const {
  const std::string& name = valid_file_->name();
  if (report_.valid_examples == 0) {
    throw Error(ErrorKind::kData,
                name +
                    ": no line is held out for validation; raise valid_fraction or valid_limit, "
                    "or name a file of its own with valid");
  }
  if (report_.train_examples == 0) {
    throw Error(ErrorKind::kData, name + ": no line is left to train on; lower valid_fraction");
  }
}

void FileCorpus::group_references() {
  for (std::int64_t i = 0; i < valid_.size(); ++i) {
    valid_by_word_[std::string(valid_sides(i).source)].push_back(i);
  }
}

ExampleFile::Sides FileCorpus::train_sides(std::int64_t index) const {
  return train_file_->at(train_.source_at(index), train_.target_at(index));
}

ExampleFile::Sides FileCorpus::valid_sides(std::int64_t index) const {
  return valid_file_->at(valid_.source_at(index), valid_.target_at(index));
}

std::string FileCorpus::target_of(const ExampleFile::Sides& sides) const {
  if (data_.format == CorpusFormat::kDictionary) return joined_symbols(sides.target);
  return std::string(sides.target);
}

Example FileCorpus::example(const ExampleFile::Sides& sides, const RandomStream& random) const {
  std::string target = target_of(sides);
  if (data_.format != CorpusFormat::kLines) return {std::string(sides.source), std::move(target)};
  return {add_noise(target, noise_, alphabet_, random), std::move(target)};
}

Example FileCorpus::train(std::int64_t index, int epoch) const {
  const auto drawn_in = static_cast<std::uint64_t>(noise_.fresh_each_epoch ? epoch : 0);
  return example(train_sides(index), RandomStream(options_.seed, RandomUse::kNoise, drawn_in,
                                                  static_cast<std::uint64_t>(index)));
}

Example FileCorpus::valid(std::int64_t index) const {
  return example(valid_sides(index), RandomStream(options_.seed, RandomUse::kValidNoise, 0,
                                                  static_cast<std::uint64_t>(index)));
}

std::vector<std::string> FileCorpus::references(std::int64_t index) const {
  const ExampleFile::Sides sides = valid_sides(index);
  if (data_.format != CorpusFormat::kDictionary) return {target_of(sides)};
  const auto same = valid_by_word_.find(std::string(sides.source));
  // The file may have been edited since.
  if (same == valid_by_word_.end()) return {target_of(sides)};
  std::vector<std::string> references;
  if (same->second.front() != index) return references;
  for (const std::int64_t number : same->second) {
    std::string target = target_of(valid_sides(number));
    const auto found = std::find(references.begin(), references.end(), target);
    if (found == references.end()) references.push_back(std::move(target));
  }
  return references;
}

int FileCorpus::train_length(std::int64_t index) const {
  const std::int64_t tokens = train_.target_tokens(index);
  if (tokens < LineIndex::kManyTokens) return static_cast<int>(tokens);
  return static_cast<int>(count_tokens(target_of(train_sides(index)), data_.target_tokens));
}

Vocabulary FileCorpus::source_vocabulary() const {
  if (data_.format == CorpusFormat::kText) return {TokenKind::kCharacters, {}};
  return vocabulary(data_.source_tokens, data_.source_subwords, true);
}

Vocabulary FileCorpus::target_vocabulary() const {
  return vocabulary(data_.target_tokens, data_.target_subwords, false);
}

Vocabulary FileCorpus::vocabulary(TokenKind kind, const std::string& path, bool of_source) const {
  if (kind == TokenKind::kSubwords) return subwords(path, of_source);
  return count(kind, of_source).vocabulary(data_.vocabulary);
}

// From the file that is given, or learnt from the training lines.
Vocabulary FileCorpus::subwords(const std::string& path, bool of_source) const {
  if (!path.empty()) {
    try {
      return Vocabulary(std::make_shared<const SubwordModel>(
          std::string(MappedFile::open(path).bytes().substr(0, SubwordModel::kMostBytes + 1))));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kData) throw;
      throw Error(ErrorKind::kData, path + ": " + error.what());
    }
  }
  const SubwordLines lines = {train_.size(), [this, of_source](std::int64_t index) {
                                const ExampleFile::Sides sides = train_sides(index);
                                return of_source ? std::string(sides.source) : target_of(sides);
                              }};
  return Vocabulary(std::make_shared<const SubwordModel>(
      learn_subwords(lines, data_.vocabulary, options_.on_progress)));
}

NoiseAlphabet FileCorpus::noise_alphabet() const {
  std::vector<std::string> characters;
  std::vector<std::int64_t> counts;
  for (auto& [times, character] :
       count(TokenKind::kCharacters, false).most_frequent(data_.vocabulary)) {
    characters.push_back(std::move(character));
    counts.push_back(times);
  }
  return {std::move(characters), counts};
}

TokenCounter FileCorpus::count(TokenKind kind, bool of_source) const {
  TokenCounter counter(kind);
  train_file_->walk(
      train_,
      [&](const ExampleFile::Sides& sides) {
        if (of_source || data_.format != CorpusFormat::kDictionary) {
          counter.add(of_source ? sides.source : sides.target);
        } else {
          counter.add(target_of(sides));
        }
      },
      options_.on_progress);
  train_file_->expect_random();
  return counter;
}

}  // namespace

std::unique_ptr<Corpus> open_corpus(const DataSection& data, const NoiseSection& noise,
                                    const OpenOptions& options) {
  return std::make_unique<FileCorpus>(data, noise, options);
}

}  // namespace traind
