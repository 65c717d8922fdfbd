#include "model/data/subwords.h"

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <ctime>
#include <exception>
#include <future>
#include <unordered_map>
#include <utility>

#include "model/base/error.h"
#include "model/data/subword_file.h"

namespace traind {
namespace {

namespace sp = sentencepiece;

constexpr const char* kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr std::chrono::milliseconds kBetweenSigns{20};
constexpr double kSignOfLife = 1e-3;  // of processor time; a thread that hangs uses none

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorKind::kData, "sentencepiece model: " + why +
                                    "; give a file that spm_train has written, or leave it out "
                                    "to have one learnt");
}

// Processor time of all threads but the calling one. Sentencepiece shows no other life than this.
double seconds_of_others() {
  const auto seconds = [](clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
  };
  return seconds(CLOCK_PROCESS_CPUTIME_ID) - seconds(CLOCK_THREAD_CPUTIME_ID);
}

// Hands the lines to sentencepiece; ends early when told to.
class LineSupply : public sp::SentenceIterator {
 public:
  LineSupply(const SubwordLines& lines, const std::atomic<bool>& stop)
      : lines_(lines), stop_(stop), count_(std::min(lines.lines, kMostSubwordLines)) {
    load();
  }

  bool done() const override { return next_ >= count_ || stop_; }
  void Next() override {
    ++next_;
    load();
  }
  const std::string& value() const override { return value_; }
  sp::util::Status status() const override { return {}; }

 private:
  void load() {
    if (done()) return;
    // Below 2^53: lines are fewer than 2^32.
    const double spacing = static_cast<double>(lines_.lines) / static_cast<double>(count_);
    value_ = lines_.line(static_cast<std::int64_t>(static_cast<double>(next_) * spacing));
  }

  const SubwordLines& lines_;
  const std::atomic<bool>& stop_;
  const std::int64_t count_;
  std::int64_t next_ = 0;
  std::string value_;
};

// Text comes back as it went in, apart from the choice of pieces nothing is left to chance, and no
// id is spent on marks that a vocabulary has itself.
std::unordered_map<std::string, std::string> settings_for(std::int64_t pieces) {
  return {{"model_type", "unigram"},
          {"vocab_size", std::to_string(pieces + 1)},  // the unknown piece counts
          {"hard_vocab_limit", "false"},
          {"character_coverage", "1.0"},
          {"normalization_rule_name", "identity"},
          {"remove_extra_whitespaces", "false"},
          {"max_sentence_length", "1000000"},
          {"shuffle_input_sentence", "false"},
          {"unk_id", "0"},
          {"bos_id", "-1"},
          {"eos_id", "-1"},
          {"pad_id", "-1"},
          {"num_threads", "1"},
          // Only what ends the process: it talks on stderr, which is not its own.
          {"minloglevel", "3"}};
}

void load(const std::string& bytes, sp::SentencePieceProcessor& model) {
  std::string why = fault_of_subword_file(bytes);
  if (!why.empty()) refuse(why);
  try {
    const sp::util::Status status = model.LoadFromSerializedProto(bytes);
    if (status.ok()) return;
    why = status.ToString();
  } catch (const std::exception& error) {  // of the double array inside it
    why = error.what();
  }
  refuse("it cannot be read (" + why + ")");
}

}  // namespace

struct SubwordModel::Processor {
  sp::SentencePieceProcessor sentencepiece;
  std::vector<std::int32_t> number_of;  // by sentencepiece's id; kUnknown = no piece of text
};

SubwordModel::SubwordModel(std::string bytes)
    : bytes_(std::move(bytes)), processor_(std::make_unique<Processor>()) {
  if (bytes_.size() > kMostBytes) {
    refuse("its " + std::to_string(bytes_.size()) + " bytes are more than the " +
           std::to_string(kMostBytes) + " that one may have");
  }
  sp::SentencePieceProcessor& model = processor_->sentencepiece;
  load(bytes_, model);
  const int size = model.GetPieceSize();
  for (int id = 0; id < size; ++id) {
    if (!std::isfinite(model.GetScore(id))) {
      refuse("piece " + std::to_string(id) + " has no number for a score");
    }
    const bool text = !model.IsUnknown(id) && !model.IsControl(id) && !model.IsUnused(id);
    processor_->number_of.push_back(text ? static_cast<std::int32_t>(pieces_.size()) : kUnknown);
    if (text) pieces_.push_back(model.IdToPiece(id));
  }
  if (pieces_.empty()) refuse("it has no pieces");
}

SubwordModel::~SubwordModel() = default;

std::vector<std::int32_t> SubwordModel::encode(std::string_view text) const {
  std::vector<int> ids;
  const sp::util::Status status = processor_->sentencepiece.Encode(text, &ids);
  if (!status.ok()) refuse("it cannot cut \"" + std::string(text) + "\": " + status.ToString());
  for (int& id : ids) id = processor_->number_of[static_cast<std::size_t>(id)];
  return ids;
}

std::string SubwordModel::decode(std::span<const std::int32_t> numbers) const {
  std::vector<std::string_view> parts;
  for (const std::int32_t number : numbers) {
    const bool known = number >= 0 && static_cast<std::size_t>(number) < pieces_.size();
    parts.push_back(known ? std::string_view(pieces_[static_cast<std::size_t>(number)])
                          : kReplacement);
  }
  std::string text;
  const sp::util::Status status = processor_->sentencepiece.Decode(parts, &text);
  if (!status.ok()) refuse("it cannot join its pieces: " + status.ToString());
  return text;
}

std::string learn_subwords(const SubwordLines& lines, std::int64_t pieces,
                           const std::function<void()>& on_progress) {
  std::atomic<bool> stop = false;
  std::string bytes;
  auto learning = std::async(std::launch::async, [&] {
    LineSupply supply(lines, stop);
    return sp::SentencePieceTrainer::Train(settings_for(pieces), &supply, &bytes);
  });
  double shown = 0;
  try {
    while (learning.wait_for(kBetweenSigns) != std::future_status::ready) {
      const double used = seconds_of_others();
      if (used - shown < kSignOfLife) continue;
      shown = used;
      if (on_progress) on_progress();
    }
  } catch (...) {
    stop = true;
    learning.wait();
    throw;
  }
  const sp::util::Status status = learning.get();
  if (status.ok()) return bytes;
  throw Error(ErrorKind::kData,
              "subwords cannot be learnt from the training lines with "
              "data.vocabulary = " +
                  std::to_string(pieces) + ": " + status.ToString());
}

}  // namespace traind
