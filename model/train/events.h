// What a run tells the world while it trains. A closed set of plain values.
//
// The trainer's thread emits; a sink must return quickly and must not block on the network.
// Numbers that decide or describe learning are the same in a resumed run; times and rates are not.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "model/base/error.h"

namespace traind {

// What a run can be judged by on its held-out lines; the best checkpoint follows one of them.
enum class Measure {
  kLoss,
  kExact,
  kCharacterAccuracy,
  kCharacterErrorRate,
  kWordErrorRate,
  kBleu,
  kCorrection
};

// How well the held-out lines are answered, by the run file's [decode]. Shares are in 0..1. A
// language model answers nothing: its `examples` is 0.
struct Scores {
  std::int64_t examples = 0;
  double exact = 0;               // whole line right
  double character_accuracy = 0;  // 1 - edit distance / target length, over all lines, at least 0
  std::int64_t corrupted = 0;     // lines whose source differs from their target
  double correction = 0;          // of those, whole line right
  double copy_exact = 0;          // what repeating the source would score as `exact`
  double copy_character_accuracy = 0;
  // Edits over the length of the targets, which can exceed 1; in characters, and in words.
  double character_error_rate = 0;
  double word_error_rate = 0;
  double bleu = 0;                  // 0..100, as sacreBLEU computes it
  std::string bleu_signature = {};  // with which settings, in sacreBLEU's form
};

struct Sample {
  std::string source;
  std::string target;
  std::string output;
  bool right() const { return output == target; }
};

// The worker is up, data and state are loaded, the first step is about to be taken.
struct RunStarted {
  std::string device;  // "cpu" or "cuda"
  std::string device_name;
  std::string device_reason;
  std::int64_t parameters = 0;
  std::int64_t train_examples = 0;
  std::int64_t valid_examples = 0;
  std::int64_t skipped_lines = 0;  // bad lines, when the run file says skip
  std::int64_t source_vocabulary = 0;
  std::int64_t target_vocabulary = 0;
  std::int64_t batches_per_epoch = 0;
  int epochs = 0;
  std::int64_t resumed_step = -1;  // -1 = from the beginning
  std::string resumed_from;        // checkpoint file name
  std::string corpus_fingerprint;  // 16 hex digits
  std::string config;              // to_toml of the run file
  std::string started_from = {};   // the checkpoint whose weights it began with; empty = none
};

// What the worker is busy with besides steps; a sign of life. Never stored.
enum class Phase { kStarting, kIndexing, kTraining, kValidating, kSaving };

// What a GPU's own instruments say, at most some seconds old. NaN = not known; a CPU has none.
struct GpuGauges {
  static constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
  double utilisation = kUnknown;   // share of the time in which it computed at all
  double memory_bytes = kUnknown;  // in use, by any process
  double memory_total_bytes = kUnknown;
  double celsius = kUnknown;
  double watts = kUnknown;
  bool known() const {
    return !std::isnan(utilisation) || !std::isnan(memory_bytes) ||
           !std::isnan(memory_total_bytes) || !std::isnan(celsius) || !std::isnan(watts);
  }
};

// A few times a second; a sign of life. Never stored.
struct Progress {
  Phase phase = Phase::kTraining;
  std::int64_t step = 0;   // updates done since the beginning of the run
  int epoch = 1;           // 1-based, the one being trained
  std::int64_t batch = 0;  // done in this epoch
  std::int64_t batches = 0;
  double loss = 0;                 // of the last step, nats a token
  double examples_per_second = 0;  // over the last seconds
  double tokens_per_second = 0;    // source and target tokens
  double trained_seconds = 0;      // spent training, over all resumptions
  double seconds_left = -1;        // to the end of the run; -1 = not known yet
  GpuGauges gpu = {};
  std::string trouble = {};  // what is wrong and lasts, in words for people; empty = nothing
  // For how long the checkpoint under way has not moved: nothing written, synced or renamed. Steps
  // that go on meanwhile say nothing about it. 0 = none is under way.
  double save_still_seconds = 0;
};

// Mean over the `batches` steps that end at `step`. One row; (run, step) is its key.
struct MetricRow {
  std::int64_t step = 0;
  int epoch = 1;
  std::int64_t batch = 0;  // in this epoch, of the last of the steps
  std::int64_t batches_per_epoch = 0;
  std::int64_t inputs = 0;         // examples seen in this epoch so far
  double loss = 0;                 // nats a target token
  double accuracy = 0;             // of target tokens, teacher forced
  double valid_loss = 0;           // on the first held-out batch, nats a target token
  double gradient_norm = 0;        // mean, before clipping
  double rate = 0;                 // learning rate of the last step
  double examples_per_second = 0;  // time-dependent
  double tokens_per_second = 0;    // time-dependent
  double trained_seconds = 0;      // time-dependent
  GpuGauges gpu = {};              // time-dependent
};

// An epoch is trained, validated, and in a durable checkpoint: its own, or a later one when its own
// could not be saved.
struct EpochDone {
  int epoch = 1;
  int epochs = 0;
  std::int64_t step = 0;
  double train_loss = 0;  // mean over the epoch
  double valid_loss = 0;  // all held-out examples
  Scores scores;
  std::vector<Sample> samples;
  bool best = false;  // by `measure`, so far
  double rate = 0;
  std::string digest;                // of the weights, 16 hex digits
  double epoch_seconds = 0;          // time-dependent
  double trained_seconds = 0;        // time-dependent
  double examples_per_second = 0;    // time-dependent
  double tokens_per_second = 0;      // time-dependent
  Measure measure = Measure::kLoss;  // the run's
};

enum class CheckpointReason { kInterval, kEpoch, kStop, kRequest };

struct CheckpointSaved {
  std::string file;  // name inside the run's checkpoint folder
  std::int64_t step = 0;
  int epoch = 1;
  CheckpointReason reason = CheckpointReason::kInterval;
  std::int64_t bytes = 0;
  std::string digest;
  bool best = false;
  double stall_seconds = 0;  // what training waited for: the copy
  double write_seconds = 0;  // until durable
};

struct CheckpointPruned {
  std::string file;
};

// The worker is about to read this checkpoint. If it dies before RunStarted, this may be why. Never
// stored.
struct CheckpointLoading {
  std::string file;
};

// A resumed run goes on with another value, because someone asked for that by name.
struct SettingChanged {
  std::string key;  // "train.learning_rate"
  std::string was;  // as in the run file
  std::string is;
  std::int64_t step = 0;  // updates done before
  int epoch = 1;          // the first epoch it is true of
};

// Something a person should know and that does not end the run: a damaged checkpoint was passed
// over, lines were skipped, a save failed and will be tried again.
struct Notice {
  ErrorKind kind = ErrorKind::kInternal;
  std::string text;
};

enum class EndReason { kAllEpochs, kStopRequested, kEarlyStop, kStepLimit, kTimeLimit };

// The last checkpoint is durable; nothing follows.
struct RunEnded {
  EndReason reason = EndReason::kAllEpochs;
  std::int64_t step = 0;
  int epoch = 0;  // 0 = stopped before the first step could be taken; the rest says nothing then
  std::string digest;
  double trained_seconds = 0;
};

// Nothing follows.
struct RunFailed {
  ErrorKind kind = ErrorKind::kInternal;
  std::string message;
};

using Event =
    std::variant<RunStarted, Progress, MetricRow, EpochDone, CheckpointSaved, CheckpointPruned,
                 CheckpointLoading, SettingChanged, Notice, RunEnded, RunFailed>;

class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void on_event(const Event& event) noexcept = 0;
};

}  // namespace traind
