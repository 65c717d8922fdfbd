// Where a run's examples come from and what is done to them: the [data] and [noise] tables of the
// run file, which README.md explains. Values; safe on any thread.
#pragma once

#include <cstdint>
#include <string>

namespace traind {

// kText: lines without a source, for a language model. kDictionary: words and their pronunciations
// as CMUdict is distributed; several of one word are several examples with one source.
enum class CorpusFormat { kLines, kTsv, kParallel, kText, kDictionary };
enum class TokenKind { kCharacters, kWords, kSubwords };
enum class BadLines { kRefuse, kSkip };

struct DataSection {
  CorpusFormat format = CorpusFormat::kTsv;
  std::string train;         // all but parallel: the file
  std::string train_source;  // parallel: the two files
  std::string train_target;
  std::string valid;  // same format as train; empty = a fraction of train
  std::string valid_source;
  std::string valid_target;
  double valid_fraction = 0.05;      // of the lines, chosen by a hash of the line
  std::int64_t valid_limit = 5'000;  // examples used for validation at most; 0 = all
  TokenKind source_tokens = TokenKind::kCharacters;
  TokenKind target_tokens = TokenKind::kCharacters;
  int max_length = 100;  // tokens a side, without begin and end marks; subwords: characters
  std::int64_t vocabulary = 32'000;  // most frequent tokens kept, a side; subwords: pieces learnt
  std::string source_subwords;       // a sentencepiece model file; empty = learnt at run start
  std::string target_subwords;
  BadLines bad_lines = BadLines::kRefuse;
  std::int64_t limit = 0;  // first lines of train used; 0 = all
};

// Spelling noise: for format "lines" the target is the line and the source the line with noise.
struct NoiseSection {
  double lines = 0.8;  // share of lines that get noise at all
  int min_edits = 1;   // edits in such a line, uniform in min..max
  int max_edits = 2;
  double per_character = 0;  // above 0: edits ~ Binomial(length, this) instead of the three above
  bool fresh_each_epoch = true;
};

}  // namespace traind
