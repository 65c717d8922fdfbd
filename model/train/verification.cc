#include "model/train/verification.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include "model/base/error.h"
#include "model/base/files.h"
#include "model/checkpoint/store.h"
#include "model/checkpoint/writer.h"
#include "model/train/trainer.h"

namespace traind {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using Tensor = CheckpointContent::Tensor;

constexpr std::string_view kOptimizer = "optim.";
// Roundings that are not repeated drift apart while training goes on; another order of batches or
// another rate would lead about as far as training itself.
constexpr double kCloseEnough = 0.1;
constexpr int kMostLooks = 10;
// The disk of a scratch folder is not worth waiting for.
constexpr SavePatience kPatience{std::chrono::milliseconds(500), std::chrono::milliseconds(500),
                                 std::chrono::milliseconds(2'000)};

bool is_optimizers(const Tensor& tensor) { return tensor.name.starts_with(kOptimizer); }

std::string digest_of(const CheckpointContent& content, bool optimizer) {
  std::vector<TensorView> views;
  for (const Tensor& tensor : content.tensors) {
    if (is_optimizers(tensor) == optimizer) {
      views.push_back({tensor.name, tensor.shape, tensor.values});
    }
  }
  return traind::digest_of(views);
}

const Tensor* find(const CheckpointContent& content, const std::string& name) {
  const auto found = std::ranges::find(content.tensors, name, &Tensor::name);
  return found == content.tensors.end() ? nullptr : &*found;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape == b.shape && a.values.size() == b.values.size() &&
         (a.values.empty() ||
          std::memcmp(a.values.data(), b.values.data(), a.values.size() * sizeof(float)) == 0);
}

// "2 of 14 tensors differ, encoder.embedding.weight first"; empty when none does.
std::string tensors_difference(const CheckpointContent& stored, const CheckpointContent& trained,
                               bool optimizer) {
  std::size_t all = 0;
  std::size_t differ = 0;
  std::string first;
  for (const Tensor& tensor : stored.tensors) {
    if (is_optimizers(tensor) != optimizer) continue;
    ++all;
    const Tensor* const other = find(trained, tensor.name);
    if (other != nullptr && same_bits(tensor, *other)) continue;
    if (++differ == 1) first = tensor.name;
  }
  for (const Tensor& tensor : trained.tensors) {
    if (is_optimizers(tensor) != optimizer || find(stored, tensor.name) != nullptr) continue;
    ++all;
    if (++differ == 1) first = tensor.name;
  }
  if (differ == 0) return {};
  return std::to_string(differ) + " of " + std::to_string(all) + " tensors differ, " + first +
         " first";
}

// Square of the distance between the weights of two checkpoints; infinite when they do not fit.
double squared_distance(const CheckpointContent& a, const CheckpointContent& b) {
  double sum = 0;
  for (const Tensor& tensor : a.tensors) {
    if (is_optimizers(tensor)) continue;
    const Tensor* const other = find(b, tensor.name);
    if (other == nullptr || other->values.size() != tensor.values.size()) {
      return std::numeric_limits<double>::infinity();
    }
    for (std::size_t i = 0; i < tensor.values.size(); ++i) {
      const double difference =
          static_cast<double>(tensor.values[i]) - static_cast<double>(other->values[i]);
      sum += difference * difference;
    }
  }
  return sum;
}

std::string digits(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", value);
  return text;
}
std::string digits(std::int64_t value) { return std::to_string(value); }
std::string digits(bool value) { return value ? "yes" : "no"; }

// Collects what is not the same of two training states.
class StateDifferences {
 public:
  explicit StateDifferences(std::vector<std::string>& out) : out_(out) {}

  template <typename Value>
  void add(const char* name, Value stored, Value trained) {
    if (stored == trained) return;
    out_.push_back(std::string(name) + ": " + digits(stored) + " in the checkpoint, " +
                   digits(trained) + " trained anew");
  }

 private:
  std::vector<std::string>& out_;
};

void compare_counts(const TrainState& stored, const TrainState& trained, StateDifferences& out) {
  out.add("step", stored.step, trained.step);
  out.add("batches", stored.batches, trained.batches);
  out.add("epoch", std::int64_t{stored.epoch}, std::int64_t{trained.epoch});
  out.add("batch in the epoch", stored.batch, trained.batch);
  out.add("batch size", std::int64_t{stored.batch_size.examples},
          std::int64_t{trained.batch_size.examples});
  out.add("tokens in a batch", std::int64_t{stored.batch_size.tokens},
          std::int64_t{trained.batch_size.tokens});
  out.add("inputs in the epoch", stored.inputs, trained.inputs);
  out.add("tokens in the epoch", stored.epoch_tokens, trained.epoch_tokens);
  out.add("tokens since the last row", stored.row.tokens, trained.row.tokens);
  out.add("epoch cut short", stored.cut_short, trained.cut_short);
  out.add("validated epochs", static_cast<std::int64_t>(stored.results.size()),
          static_cast<std::int64_t>(trained.results.size()));
}

// What follows from the arithmetic, and is another where the device gives no equal bits.
void compare_sums(const TrainState& stored, const TrainState& trained, StateDifferences& out) {
  out.add("sum of losses in the epoch", stored.epoch_loss, trained.epoch_loss);
  out.add("sum of losses since the last row", stored.row.loss, trained.row.loss);
  out.add("right tokens since the last row", stored.row.correct, trained.row.correct);
  out.add("sum of gradient norms since the last row", stored.row.gradient_norm,
          trained.row.gradient_norm);
  out.add("steps since the last row", stored.row.steps, trained.row.steps);
  out.add("best step", stored.best_step, trained.best_step);
  for (std::size_t i = 0; i < std::min(stored.results.size(), trained.results.size()); ++i) {
    out.add(("result of epoch " + std::to_string(i + 1)).c_str(), stored.results[i],
            trained.results[i]);
  }
}

void compare_tensors(const CheckpointContent& stored, const CheckpointContent& trained,
                     Comparison& out) {
  for (const bool optimizer : {false, true}) {
    const std::string difference = tensors_difference(stored, trained, optimizer);
    if (difference.empty()) continue;
    out.differences.push_back(std::string(optimizer ? "optimizer: " : "weights: ") + difference);
  }
}

// What Trainer tells, for whoever looks on; the rest is not told to anybody.
class VerifySink final : public EventSink {
 public:
  VerifySink(const Verification::Pinned& from, const Verification::Pinned& to,
             TrainerControl& control, const Verification::Sign& sign, VerifiedRun& out)
      : from_(from), to_(to), control_(control), sign_(sign), out_(out) {}

  void on_event(const Event& event) noexcept override {
    if (error_) return;
    try {
      std::visit([this](const auto& alternative) { hear(alternative); }, event);
    } catch (const Error& error) {
      error_ = error;
    } catch (const std::exception& error) {
      error_ = Error(ErrorKind::kInternal, error.what());
    }
    if (error_) control_.request_stop();
  }

  const std::optional<Error>& error() const { return error_; }
  std::int64_t end_step() const { return end_step_; }

 private:
  void hear(const RunStarted& started) {
    out_.device = started.device;
    out_.device_name = started.device_name;
    const std::string& was = to_.identity.corpus_fingerprint;
    if (started.corpus_fingerprint != was) {
      throw Error(ErrorKind::kData, "the corpus is not the one that " + to_.file +
                                        " was trained on (fingerprint " + was + ", now " +
                                        started.corpus_fingerprint +
                                        "), so that nothing can be trained anew: put the files "
                                        "back that the run was trained on");
    }
    began_ = Clock::now();
  }
  void hear(const Progress& progress) {
    const std::int64_t step = std::max(progress.step, from_.step);
    sign_(progress.phase, step, seconds_left(step));
  }
  void hear(const SettingChanged& change) {
    out_.notes.push_back(change.key + " was changed from " + change.was + " to " + change.is +
                         " between the two; it was taken to have happened at step " +
                         std::to_string(change.step));
  }
  // What is not acknowledged is carried along.
  void hear(const MetricRow& row) { control_.acknowledge(row.step); }
  void hear(const RunEnded& ended) { end_step_ = ended.step; }
  template <typename Other>
  void hear(const Other&) {}

  double seconds_left(std::int64_t step) const {
    if (!began_ || step <= from_.step) return -1;
    const double gone = std::chrono::duration<double>(Clock::now() - *began_).count();
    return gone / static_cast<double>(step - from_.step) * static_cast<double>(to_.step - step);
  }

  const Verification::Pinned& from_;
  const Verification::Pinned& to_;
  TrainerControl& control_;
  const Verification::Sign& sign_;
  VerifiedRun& out_;
  std::optional<Clock::time_point> began_;
  std::optional<Error> error_;
  std::int64_t end_step_ = 0;
};

// A second name of the file, or a copy where there can be none (another file system, or a file that
// belongs to somebody else). False when it is gone.
bool link_or_copy(const std::string& from, const std::string& to) {
  if (link(from.c_str(), to.c_str()) == 0) return true;
  if (errno == ENOENT) return false;
  std::error_code error;
  fs::copy_file(from, to, error);
  if (error == std::errc::no_such_file_or_directory) return false;
  if (error) throw system_error("cannot copy " + from + " to " + to, error.value());
  return true;
}

void refuse_without_space(const std::string& scratch, std::uint64_t bytes) {
  const std::uint64_t free = free_bytes(scratch);
  // What is trained anew, and the run's own next one.
  if (free / 2 >= bytes) return;
  throw Error(ErrorKind::kNoSpace, scratch + ": verifying writes a checkpoint of " +
                                       std::to_string(bytes >> 20) +
                                       " MiB and leaves room for the run's next one; " +
                                       std::to_string(free >> 20) + " MiB are free: make room");
}

TrainerOptions trainer_options(const std::string& scratch, const Verification::Pinned& to) {
  TrainerOptions options;
  options.folder = {scratch};
  // Whether it is the right one is looked at when it has been read.
  options.accept_changed_data = true;
  options.changes = {.learning_rate = true, .epochs = true, .batch_size = true};
  options.patience = kPatience;
  options.target = TrainingTarget{to.step, to.state.batch, to.state.cut_short};
  return options;
}

}  // namespace

Comparison compare(const CheckpointContent& stored, const CheckpointContent& trained,
                   const std::function<CheckpointContent()>& before, bool equal_bits) {
  Comparison out;
  out.digest = digest_of(stored, false);
  out.trained_digest = digest_of(trained, false);
  out.optimizer_digest = digest_of(stored, true);
  out.trained_optimizer_digest = digest_of(trained, true);
  const std::string& claimed = stored.meta(kDigestKey);
  if (claimed != out.digest) {
    out.differences.push_back("the checkpoint says that its weights' digest is " + claimed +
                              ", and it is " + out.digest);
  }
  const TrainState stored_state = decode_state(stored.metadata);
  const TrainState trained_state = decode_state(trained.metadata);
  StateDifferences state(out.differences);
  compare_counts(stored_state, trained_state, state);
  const bool counts_differ = !out.differences.empty();
  compare_tensors(stored, trained, out);
  compare_sums(stored_state, trained_state, state);
  if (out.digest != out.trained_digest) {
    const CheckpointContent beginning = before();
    const double way = squared_distance(stored, beginning);
    out.distance = way > 0 ? std::sqrt(squared_distance(stored, trained) / way)
                           : std::numeric_limits<double>::infinity();
  }
  if (out.differences.empty()) return out;
  const bool close = !equal_bits && !counts_differ && out.distance <= kCloseEnough;
  out.verdict = close ? Verdict::kClose : Verdict::kDifferent;
  return out;
}

Verification::Verification(const RunFile& run, const RunFolder& folder, std::string scratch)
    : run_(run), folder_(folder), scratch_(std::move(scratch)) {
  if (!fs::is_directory(folder_.checkpoints())) {
    throw Error(ErrorKind::kNotFound, "run " + run_.name +
                                          " has no checkpoint yet; `trainctl save` makes a "
                                          "running one save");
  }
  // A training beside us may prune what was just listed; then there are newer ones.
  for (int look = 0; look < kMostLooks && from_.file.empty(); ++look) {
    if (pin_newest()) break;
  }
  if (to_.file.empty()) {
    throw Error(ErrorKind::kNotFound, "run " + run_.name + " has no good checkpoint" +
                                          (passed_over_.empty() ? "" : ": " + passed_over_[0]));
  }
  if (from_.file.empty()) {
    throw Error(ErrorKind::kState,
                "run " + run_.name + " has one good checkpoint alone, " + to_.file +
                    ": verifying trains from one to the next. Wait for another (`trainctl save` "
                    "makes a running one save), and keep more than one (checkpoint.keep)");
  }
  refuse_without_space(scratch_, to_.bytes);
}

// False when some were gone before they could be pinned.
bool Verification::pin_newest() {
  to_ = from_ = {};
  passed_over_.clear();
  const fs::path there = folder_.checkpoints();
  const fs::path pinned = scratch_ + "/pinned";
  fs::remove_all(pinned);
  make_folders(pinned);
  const std::vector<std::string> files =
      CheckpointStore(posix_files(), folder_.checkpoints()).list();
  // All at once: while one is read, the next is pruned. Where there can be no link, nothing is
  // lost.
  for (const std::string& file : files) {
    (void)link((there / file).c_str(), (pinned / file).c_str());
  }
  bool all_there = true;
  for (const std::string& file : files) {
    const bool wanted = from_.file.empty();
    if (wanted && !fs::exists(pinned / file) && !link_or_copy(there / file, pinned / file)) {
      all_there = false;
      continue;
    }
    if (!wanted || !read_pinned(file, to_.file.empty() ? to_ : from_)) fs::remove(pinned / file);
  }
  return all_there;
}

// False when it is no good.
bool Verification::read_pinned(const std::string& file, Pinned& out) {
  try {
    const LoadedCheckpoint loaded = CheckpointStore(posix_files(), scratch_ + "/pinned").load(file);
    Pinned read{file, loaded.step, decode_state(loaded.content.metadata),
                decode_identity(loaded.content.metadata), loaded.bytes};
    if (read.identity.run != run_.name) {
      throw Error(ErrorKind::kCorrupt, "it belongs to run \"" + read.identity.run + "\"");
    }
    out = std::move(read);
    return true;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kCorrupt) throw;
    passed_over_.push_back(file + " was passed over: " + error.what());
    return false;
  }
}

VerifiedRun Verification::train(const RunFile& then, TrainerControl& control, const Sign& sign) {
  RunFile run = then;
  run.name = run_.name;
  // It may lie elsewhere by now; the fingerprint tells whether it is the same.
  for (auto path : {&DataSection::train, &DataSection::train_source, &DataSection::train_target,
                    &DataSection::valid, &DataSection::valid_source, &DataSection::valid_target,
                    &DataSection::source_subwords, &DataSection::target_subwords}) {
    run.data.*path = run_.data.*path;
  }
  // Nothing but the last one is wanted.
  run.checkpoint.every_batches = 0;
  run.checkpoint.every_minutes = 0;
  run.checkpoint.keep = 1;
  run.report.samples = 0;

  VerifiedRun out;
  out.notes = passed_over_;
  if (from_.identity.corpus_fingerprint != to_.identity.corpus_fingerprint) {
    out.notes.push_back(
        "the run went on with other data between the two; it was taken to have "
        "happened at step " +
        std::to_string(from_.step));
  }
  const RunFolder scratch{scratch_};
  make_folders(scratch.checkpoints());
  const CheckpointStore pinned(posix_files(), scratch_ + "/pinned");
  if (!link_or_copy(pinned.folder() + "/" + from_.file, scratch.checkpoints() + "/" + from_.file)) {
    throw Error(ErrorKind::kIo, scratch_ + ": somebody removes what was put there");
  }
  VerifySink sink(from_, to_, control, sign, out);
  Trainer(run, trainer_options(scratch_, to_), sink, control).run();
  if (sink.error()) throw Error(*sink.error());

  out.equal_bits = out.device == "cpu" || run.train.deterministic;
  const LoadedCheckpoint stored = pinned.load(to_.file);
  if (sink.end_step() != to_.step) {
    if (sink.end_step() < to_.step) throw Error(ErrorKind::kCancelled, "asked to stop");
    out.comparison.verdict = Verdict::kDifferent;
    out.comparison.digest = digest_of(stored.content, false);
    out.comparison.optimizer_digest = digest_of(stored.content, true);
    out.comparison.differences.push_back(
        "training anew went past step " + std::to_string(to_.step) +
        " without coming to where the checkpoint stands in its epoch");
    return out;
  }
  const LoadedCheckpoint trained =
      CheckpointStore(posix_files(), scratch.checkpoints()).load(to_.file);
  out.comparison = compare(
      stored.content, trained.content, [&] { return pinned.load(from_.file).content; },
      out.equal_bits);
  return out;
}

}  // namespace traind
