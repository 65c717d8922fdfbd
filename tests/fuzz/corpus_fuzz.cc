// A corpus of any format: each line an example that can be trained on, or a bad line, or an Error;
// and the vocabularies and batches that follow from it.
//
// The input begins with two bytes of settings. A form feed parts the two files of "parallel".
#include <optional>
#include <vector>

#include "model/data/batches.h"
#include "model/data/corpus.h"
#include "model/data/dictionary.h"
#include "model/data/utf8.h"
#include "tests/fuzz/claims.h"
#include "tests/fuzz/memory_file.h"

using namespace traind;

namespace {

constexpr std::uint64_t kSeed = 7;

bool is_clean(const std::string& text) {
  return !text.empty() && scan_text(text).fault == TextFault::kNone;
}

bool all_known(const std::vector<std::int32_t>& ids, const Vocabulary& vocabulary) {
  return std::all_of(ids.begin(), ids.end(), [&](std::int32_t id) {
    return id >= kFirstTokenId && id < vocabulary.size();
  });
}

void check_examples(const Corpus& corpus, bool has_source, const Vocabulary& target) {
  const CorpusReport& report = corpus.report();
  for (std::int64_t i = 0; i < report.train_examples; ++i) {
    const Example example = corpus.train(i, 1);
    fuzz::claim(is_clean(example.target), "a target is text");
    fuzz::claim(is_clean(example.source) == has_source, "and so is a source, where there are such");
    fuzz::claim(all_known(target.encode(example.target), target), "training tokens are known");
    fuzz::claim(corpus.train_length(i) >= 1, "a target has a length");
  }
  for (std::int64_t i = 0; i < report.valid_examples; ++i) {
    fuzz::claim(is_clean(corpus.valid(i).target), "a held-out target is text");
    for (const std::string& text : corpus.references(i)) {
      fuzz::claim(is_clean(text), "what counts as right is text");
    }
  }
}

void check_batch(const Batch& batch, const BatchEncoding& encoding) {
  const auto cells = [&](int steps) { return static_cast<std::size_t>(batch.batch_size * steps); };
  fuzz::claim(batch.source.size() == cells(batch.source_steps) &&
                  batch.target_in.size() == cells(batch.target_steps) &&
                  batch.target_out.size() == cells(batch.target_steps),
              "a batch is as large as it says");
  const auto within = [](const std::vector<std::int32_t>& ids, std::int32_t end) {
    return std::all_of(ids.begin(), ids.end(), [=](auto id) { return id >= 0 && id < end; });
  };
  fuzz::claim(within(batch.target_in, encoding.target->size()) &&
                  within(batch.target_out, encoding.target->size()) &&
                  (encoding.source == nullptr || within(batch.source, encoding.source->size())),
              "its ids are those of the vocabularies");
  for (const std::int32_t length : batch.target_lengths) {
    fuzz::claim(length >= 1 && length <= batch.target_steps, "its lengths fit");
  }
}

void check_batches(const Corpus& corpus, const BatchSize& size, const BatchEncoding& encoding) {
  const BatchPlan plan(corpus, kSeed, 1, size, encoding);
  std::vector<int> taken(static_cast<std::size_t>(corpus.report().train_examples));
  for (std::int64_t k = 0; k < plan.size(); ++k) {
    for (const std::int64_t i : plan.examples(k)) ++taken[static_cast<std::size_t>(i)];
    check_batch(load_batch(corpus, plan, k, 1, encoding), encoding);
  }
  fuzz::claim(std::all_of(taken.begin(), taken.end(), [](int times) { return times == 1; }),
              "an epoch has each example once");
}

// The parts that look at lines, on memory that ends where the text does.
void check_lines(const std::vector<char>& exact) {
  const std::string_view text(exact.data(), exact.size());
  for (const TokenKind kind : {TokenKind::kCharacters, TokenKind::kWords}) {
    fuzz::claim(
        split_tokens(text, kind).size() == static_cast<std::size_t>(count_tokens(text, kind)),
        "tokens are counted as they are cut");
  }
  const TextScan scan = scan_text(text);
  fuzz::claim(scan.at <= text.size(), "a fault lies inside");
  const DictionaryEntry entry = parse_dictionary_line(text);
  fuzz::claim(entry.word.size() + entry.symbols.size() <= text.size(), "an entry is of its line");
  joined_symbols(entry.symbols);
}

DataSection settings_of(std::uint8_t first, std::uint8_t second) {
  DataSection data;
  data.format = static_cast<CorpusFormat>((first & 0x1F) % 5);
  data.bad_lines = (first & 0x80) != 0 ? BadLines::kRefuse : BadLines::kSkip;
  data.source_tokens = (second & 1) != 0 ? TokenKind::kWords : TokenKind::kCharacters;
  data.target_tokens = (second & 2) != 0 || data.format == CorpusFormat::kDictionary
                           ? TokenKind::kWords
                           : TokenKind::kCharacters;
  data.max_length = (second & 4) != 0 ? 5 : 100;
  data.limit = (second & 8) != 0 ? 4 : 0;
  data.valid_limit = (second & 16) != 0 ? 1 : 0;
  data.valid_fraction = 0.4;
  return data;
}

void place_files(std::string_view content, DataSection& data) {
  static const fuzz::MemoryFile one;
  static const fuzz::MemoryFile other;
  if (data.format != CorpusFormat::kParallel) {
    one.fill(content);
    data.train = one.path();
    return;
  }
  const std::size_t parting = std::min(content.find('\f'), content.size());
  one.fill(content.substr(0, parting));
  other.fill(content.substr(std::min(parting + 1, content.size())));
  data.train_source = one.path();
  data.train_target = other.path();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size < 2) return 0;
  const std::vector<char> exact(bytes + 2, bytes + size);
  const bool thorough = fuzz::is_thorough(bytes, size);
  if (thorough) check_lines(exact);
  DataSection data = settings_of(bytes[0], bytes[1]);
  place_files({exact.data(), exact.size()}, data);
  NoiseSection noise;
  noise.per_character = (bytes[1] & 32) != 0 ? 0.3 : 0;
  std::unique_ptr<Corpus> corpus;
  const OpenOptions options{"/dev/shm", kSeed, {}};
  if (!fuzz::accepts({ErrorKind::kData}, [&] { corpus = open_corpus(data, noise, options); })) {
    return 0;
  }
  const CorpusReport& report = corpus->report();
  fuzz::claim(report.train_examples > 0 && report.valid_examples > 0, "both parts have examples");
  fuzz::claim(report.train_examples + report.valid_examples + report.skipped_lines <=
                  std::count(exact.begin(), exact.end(), '\n') + 1,
              "no line counts twice");
  if (!thorough) return 0;
  const bool has_source = data.format != CorpusFormat::kText;
  const Vocabulary source = corpus->source_vocabulary();
  const Vocabulary target = corpus->target_vocabulary();
  check_examples(*corpus, has_source, target);
  const BatchSize batch_size = (bytes[1] & 64) != 0 ? BatchSize{0, 40} : BatchSize{3, 0};
  check_batches(*corpus, batch_size, {has_source ? &source : nullptr, &target, 1});
  return 0;
}
