#include "model/train/preparation.h"

#include <algorithm>
#include <array>
#include <sstream>
#include <vector>

#include "model/base/error.h"
#include "model/checkpoint/writer.h"
#include "model/train/batch_fit.h"
#include "model/train/record_text.h"

namespace traind {
namespace {

constexpr const char* kLossScale = "optim.loss_scale";
constexpr std::size_t kScaleFloats = 2;

// "learning_rate: was 0.001, is 0.01" for every setting that is not what it was.
std::string differences(const std::vector<std::string>& was, const std::vector<std::string>& is) {
  std::string text;
  for (const std::string& line : is) {
    if (std::find(was.begin(), was.end(), line) != was.end()) continue;
    const std::string key = line.substr(0, line.find(" = "));
    const auto before = std::find_if(was.begin(), was.end(), [&](const std::string& other) {
      return other.compare(0, key.size() + 3, key + " = ") == 0;
    });
    text += "\n  " + key + ": was " +
            (before == was.end() ? "not set" : before->substr(key.size() + 3)) + ", is " +
            line.substr(key.size() + 3);
  }
  return text;
}

void check_settings(const RunIdentity& was, const RunFile& run) {
  const std::string changed = differences(was.settings, identity_of(run));
  if (changed.empty()) return;
  throw Error(ErrorKind::kConfig,
              "the run file is not the one this run began with:" + changed +
                  "\nPut the old values back to resume, or start a new run under another name.");
}

// Changed data makes the loss jump: the validation split and the noise belong to other lines.
void check_corpus(const RunIdentity& was, const Corpus& corpus, bool accept, EventSink& events) {
  const std::string now = corpus.fingerprint();
  if (was.corpus_fingerprint == now) return;
  const std::string change = "the corpus is not the one this run began with (fingerprint " +
                             was.corpus_fingerprint + ", now " + now + ")";
  if (!accept) {
    throw Error(ErrorKind::kData,
                change +
                    ". Going on would mix two data sets: loss and scores before and after "
                    "could not be compared. Restore the old files, or accept the new ones with "
                    "`trainctl resume --accept-changed-data`.");
  }
  events.on_event(Notice{ErrorKind::kData, change + "; going on with it, as asked"});
}

// The batch size that was found when the run began stays: another would be another run.
int recorded_batch_size(const RunIdentity& was) {
  const std::string key = "train.batch_size = ";
  for (const std::string& line : was.settings) {
    if (line.starts_with(key)) {
      return static_cast<int>(RecordReader(line.substr(key.size())).integer());
    }
  }
  throw Error(ErrorKind::kCorrupt, "the checkpoint does not say with which batch size it was made");
}

void resume(const PrepareOptions& options, const LoadedCheckpoint& loaded, EventSink& events,
            Preparation& out) {
  const RunIdentity was = decode_identity(loaded.content.metadata);
  int& batch_size = out.run.train.batch_size;
  if (batch_size == kFitBatch) batch_size = recorded_batch_size(was);
  check_settings(was, out.run);
  check_corpus(was, *out.corpus, options.accept_changed_data, events);
  out.identity.source_vocabulary = was.source_vocabulary;
  out.identity.target_vocabulary = was.target_vocabulary;
  out.source = std::make_unique<Vocabulary>(vocabulary_from_text(was.source_vocabulary));
  out.target = std::make_unique<Vocabulary>(vocabulary_from_text(was.target_vocabulary));
  out.state = decode_state(loaded.content.metadata);
  out.resumed_digest = loaded.content.meta(kDigestKey);
  // EpochDone is made before its checkpoint is written, so the file cannot hold its own digest.
  if (!out.state.epochs.empty() && out.state.epochs.back().digest.empty()) {
    out.state.epochs.back().digest = out.resumed_digest;
  }
  out.resumed_step = loaded.step;
  out.resumed_from = loaded.file;
}

// The longest training example, marks included and noise allowed for.
StepCounts longest_steps(const Preparation& ready, const std::function<void()>& on_progress) {
  constexpr std::int64_t kBetweenSigns = 4096;
  StepCounts longest{1, 1};
  for (std::int64_t i = 0; i < ready.corpus->report().train_examples; ++i) {
    if (i % kBetweenSigns == 0 && on_progress) on_progress();
    const Example example = ready.corpus->train(i, 1);
    longest.source =
        std::max(longest.source, static_cast<int>(ready.source->encode(example.source).size()));
    longest.target = std::max(longest.target, ready.corpus->train_length(i) + 1);
  }
  const NoiseSection& noise = ready.run.noise;
  if (ready.run.data.format == CorpusFormat::kLines) {
    longest.source += noise.per_character > 0 ? longest.source : noise.max_edits;
  }
  return longest;
}

void fit_batch(const PrepareOptions& options, EventSink& events, Preparation& out) {
  const DeviceChoice choice = choice_of(out.run.train);
  check_fit(out.run.train, options.make_device(choice).backend->info());
  FitQuestion question;
  question.shape = shape_of(out.run, *out.source, *out.target);
  question.steps = longest_steps(out, options.on_progress);
  question.examples = out.corpus->report().train_examples;
  question.on_try = options.on_progress;
  question.make_device = [&] { return options.make_device(choice).backend; };
  out.run.train.batch_size = largest_batch(question);
  events.on_event(
      Notice{ErrorKind::kDevice, "batch_size = \"fit\": the run trains with batches of " +
                                     std::to_string(out.run.train.batch_size) + " examples"});
}

}  // namespace

DeviceChoice choice_of(const TrainSection& train) {
  DeviceChoice choice;
  choice.device = train.device;
  choice.threads = train.threads;
  choice.precision = train.precision == "tf32"   ? Precision::kTf32
                     : train.precision == "bf16" ? Precision::kBf16
                     : train.precision == "fp16" ? Precision::kFp16
                                                 : Precision::kFp32;
  choice.deterministic = train.deterministic;
  return choice;
}

void check_fit(const TrainSection& train, const DeviceInfo& device) {
  if (train.batch_size != kFitBatch || device.kind != "cpu") return;
  throw Error(ErrorKind::kConfig,
              "train.batch_size = \"fit\" fills the memory of a GPU, and this run would train on "
              "the CPU, where memory is not what limits a batch; give a number, for example 128");
}

ModelShape shape_of(const RunFile& run, const Vocabulary& source, const Vocabulary& target) {
  ModelShape shape;
  shape.layers = run.model.layers;
  shape.hidden = run.model.hidden;
  shape.embedding = run.model.embedding == 0 ? run.model.hidden : run.model.embedding;
  shape.bidirectional = run.model.bidirectional;
  shape.attention = run.model.attention;
  shape.dropout = static_cast<float>(run.model.dropout);
  shape.source_words = source.size();
  shape.target_words = target.size();
  return shape;
}

std::uint64_t checkpoint_bytes(const ModelShape& shape) {
  std::uint64_t floats = 0;
  for (const ParameterEntry& entry : parameter_table(shape)) floats += entry.size;
  return floats * 3 * sizeof(float);
}

std::vector<CheckpointTensor> checkpoint_tensors(const SequenceModel& model) {
  constexpr std::array kPrefix = {"", "optim.first.", "optim.second."};
  std::vector<CheckpointTensor> tensors;
  for (int row = 0; row < 3; ++row) {
    for (const ParameterEntry& entry : model.parameters()) {
      tensors.push_back({kPrefix[static_cast<std::size_t>(row)] + entry.name, entry.shape, row,
                         entry.offset, entry.size});
    }
  }
  if (model.device().loss_scale) {
    tensors.push_back({kLossScale, {kScaleFloats}, 3, 0, kScaleFloats});
  }
  return tensors;
}

std::size_t checkpoint_floats(const SequenceModel& model) {
  return 3 * row_size(model.parameters()) + (model.device().loss_scale ? kScaleFloats : 0);
}

void restore_model(const CheckpointContent& content, SequenceModel& model) {
  const std::size_t size = row_size(model.parameters());
  std::array<std::vector<float>, 4> rows;
  for (std::vector<float>& row : rows) row.assign(size, 0.0f);
  rows[3] = {LossScale::kFirst, 0};
  const bool scaled = std::ranges::any_of(
      content.tensors, [](const auto& tensor) { return tensor.name == kLossScale; });
  for (const CheckpointTensor& slot : checkpoint_tensors(model)) {
    if (slot.row == 3 && !scaled) continue;
    const CheckpointContent::Tensor& tensor = content.tensor(slot.name);
    if (tensor.shape != slot.shape) {
      throw Error(ErrorKind::kCorrupt, "the checkpoint's tensor " + slot.name +
                                           " has another shape than the run file's model");
    }
    std::copy(tensor.values.begin(), tensor.values.end(),
              rows[static_cast<std::size_t>(slot.row)].begin() +
                  static_cast<std::ptrdiff_t>(slot.offset));
  }
  model.restore(rows[0], rows[1], rows[2]);
  if (model.device().loss_scale) model.restore_loss_scale(rows[3]);
}

Preparation prepare(const RunFile& run, const PrepareOptions& options, CheckpointStore& store,
                    EventSink& events) {
  Preparation out;
  out.run = run;
  make_folders(options.folder.cache());
  out.corpus =
      open_corpus(run.data, run.noise, {options.folder.cache(), run.seed, options.on_progress});
  if (out.corpus->report().skipped_lines > 0) {
    const BadLine& bad = out.corpus->report().first_bad.front();
    events.on_event(Notice{ErrorKind::kData,
                           std::to_string(out.corpus->report().skipped_lines) +
                               " unusable lines were skipped, as the run file says; the first: " +
                               bad.file + ":" + std::to_string(bad.line) + ": " + bad.what});
  }
  const auto loaded = store.newest_good([&](const std::string& file, const std::string& why) {
    events.on_event(Notice{ErrorKind::kCorrupt, "passed over checkpoint " + file + ": " + why});
  });
  if (loaded) {
    resume(options, *loaded, events, out);
  } else {
    out.source = std::make_unique<Vocabulary>(out.corpus->source_vocabulary());
    out.target = std::make_unique<Vocabulary>(out.corpus->target_vocabulary());
    out.identity.source_vocabulary = to_text(*out.source);
    out.identity.target_vocabulary = to_text(*out.target);
    if (run.train.batch_size == kFitBatch) fit_batch(options, events, out);
  }
  out.identity.run = run.name;
  out.identity.settings = identity_of(out.run);
  out.identity.corpus_fingerprint = out.corpus->fingerprint();
  out.identity.config = to_toml(out.run);
  out.device = options.make_device(choice_of(run.train));
  out.model =
      std::make_unique<SequenceModel>(*out.device.backend, shape_of(run, *out.source, *out.target));
  if (loaded) {
    restore_model(loaded->content, *out.model);
  } else {
    out.model->initialise(run.seed);
  }
  return out;
}

}  // namespace traind
