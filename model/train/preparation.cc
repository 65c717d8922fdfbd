#include "model/train/preparation.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "model/base/error.h"
#include "model/checkpoint/writer.h"
#include "model/train/batch_fit.h"
#include "model/train/checkpoint_space.h"
#include "model/train/initial_weights.h"
#include "model/train/record_text.h"

namespace traind {
namespace {

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
  const std::string value = setting_of(was.settings, "train.batch_size");
  if (!value.empty()) return static_cast<int>(RecordReader(value).integer());
  throw Error(ErrorKind::kConfig,
              "train.batch_size = \"fit\" is found when a run begins, and this one began with "
              "train.batch_tokens; give a number");
}

void take_vocabularies(const RunIdentity& from, Preparation& out) {
  out.identity.source_vocabulary = from.source_vocabulary;
  out.identity.target_vocabulary = from.target_vocabulary;
  out.source = std::make_unique<Vocabulary>(vocabulary_from_text(from.source_vocabulary));
  out.target = std::make_unique<Vocabulary>(vocabulary_from_text(from.target_vocabulary));
}

// Intact is not enough: a file may be somebody else's, under a name of ours.
void check_owner(const RunFile& run, const LoadedCheckpoint& loaded) {
  decode_state(loaded.content.metadata);
  const std::string owner = decode_identity(loaded.content.metadata).run;
  if (owner == run.name) return;
  throw Error(ErrorKind::kCorrupt,
              "it belongs to run \"" + owner + "\", and this one is called \"" + run.name + "\"");
}

std::optional<LoadedCheckpoint> newest_checkpoint(const RunFile& run, const CheckpointStore& store,
                                                  const PrepareOptions& options,
                                                  EventSink& events) {
  const auto on_bad = [&](const std::string& file, const std::string& why) {
    events.on_event(Notice{ErrorKind::kCorrupt, "passed over checkpoint " + file + ": " + why});
  };
  LoadHooks hooks;
  hooks.on_load = [&](const std::string& file) { events.on_event(CheckpointLoading{file}); };
  hooks.on_read = options.on_progress;
  hooks.accept = [&](const LoadedCheckpoint& loaded) { check_owner(run, loaded); };
  return store.newest_good(on_bad, hooks);
}

void resume(const PrepareOptions& options, const LoadedCheckpoint& loaded, EventSink& events,
            Preparation& out) {
  const RunIdentity was = decode_identity(loaded.content.metadata);
  int& batch_size = out.run.train.batch_size;
  if (batch_size == kFitBatch) batch_size = recorded_batch_size(was);
  out.state = decode_state(loaded.content.metadata);
  out.changes = accepted_changes(was.settings, out.state, out.run, options.changes);
  check_corpus(was, *out.corpus, options.accept_changed_data, events);
  take_vocabularies(was, out);
  out.identity.started_from = was.started_from;
  out.resumed_digest = loaded.content.meta(kDigestKey);
  // EpochDone is made before its checkpoint is written, so the file cannot hold its own digest.
  if (!out.state.epochs.empty() && out.state.epochs.back().digest.empty()) {
    out.state.epochs.back().digest = out.resumed_digest;
  }
  out.resumed_step = loaded.step;
  out.resumed_from = loaded.file;
  out.resumed_bytes = static_cast<std::int64_t>(loaded.bytes);
}

// The longest training example, marks included and noise allowed for.
ExampleSteps longest_steps(const Preparation& ready, const std::function<void()>& on_progress) {
  constexpr std::int64_t kBetweenSigns = 4096;
  const BatchEncoding encoding = ready.encoding();
  ExampleSteps longest;
  for (std::int64_t i = 0; i < ready.corpus->report().train_examples; ++i) {
    if (i % kBetweenSigns == 0 && on_progress) on_progress();
    const ExampleSteps steps = steps_of(ready.corpus->train(i, 1), encoding);
    longest.source = std::max(longest.source, steps.source);
    longest.target = std::max(longest.target, steps.target);
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
  question.optimizer = out.run.train.optimizer;
  question.steps = longest_steps(out, options.on_progress);
  question.examples = out.corpus->report().train_examples;
  question.on_try = options.on_progress;
  question.make_device = [&] { return options.make_device(choice).backend; };
  out.run.train.batch_size = largest_batch(question);
  events.on_event(
      Notice{ErrorKind::kDevice, "batch_size = \"fit\": the run trains with batches of " +
                                     std::to_string(out.run.train.batch_size) + " examples"});
}

void read_corpus(const PrepareOptions& options, EventSink& events, Preparation& out) {
  make_folders(options.folder.cache());
  out.corpus = open_corpus(out.run.data, out.run.noise,
                           {options.folder.cache(), out.run.seed, options.on_progress});
  const CorpusReport& report = out.corpus->report();
  if (report.skipped_lines == 0) return;
  const BadLine& bad = report.first_bad.front();
  events.on_event(Notice{ErrorKind::kData,
                         std::to_string(report.skipped_lines) +
                             " unusable lines were skipped, as the run file says; the first: " +
                             bad.file + ":" + std::to_string(bad.line) + ": " + bad.what});
}

// The vocabularies of a run that has not taken a step: its own, or those of the weights that it
// begins with, if there are such.
std::optional<InitialWeights> begin(const PrepareOptions& options, Preparation& out) {
  if (std::filesystem::exists(options.folder.initial())) {
    InitialWeights initial = load_initial(options.folder.initial());
    take_vocabularies(initial.identity, out);
    check_initial(initial, out.run, shape_of(out.run, *out.source, *out.target));
    out.identity.started_from = initial.name;
    return initial;
  }
  out.source = std::make_unique<Vocabulary>(out.corpus->source_vocabulary());
  out.target = std::make_unique<Vocabulary>(out.corpus->target_vocabulary());
  out.identity.source_vocabulary = to_text(*out.source);
  out.identity.target_vocabulary = to_text(*out.target);
  return std::nullopt;
}

// A run that has begun goes on with less: room may be made before it is needed.
void look_for_space(const PrepareOptions& options, const CheckpointStore& store,
                    const ModelShape& shape, const Preparation& ready, EventSink& events) {
  const CheckpointSpace space =
      checkpoint_space(store.folder(), checkpoint_bytes(shape, ready.run.train.optimizer),
                       ready.run.checkpoint.keep, store.list().size());
  if (space.enough()) return;
  if (options.needs_space && ready.resumed_step < 0) {
    throw Error(ErrorKind::kNoSpace, space.in_words());
  }
  events.on_event(Notice{ErrorKind::kNoSpace, space.in_words()});
}

}  // namespace

BatchEncoding Preparation::encoding() const {
  return {run.model.kind == ModelKind::kLanguage ? nullptr : source.get(), target.get(),
          model ? model->device().step_multiple : 1};
}

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

BatchSize batch_size_of(const TrainSection& train) {
  return {train.batch_tokens > 0 ? 0 : train.batch_size, train.batch_tokens};
}

ModelShape shape_of(const RunFile& run, const Vocabulary& source, const Vocabulary& target) {
  ModelShape shape;
  shape.layers = run.model.layers;
  shape.hidden = run.model.hidden;
  shape.embedding = run.model.embedding == 0 ? run.model.hidden : run.model.embedding;
  shape.bidirectional = run.model.bidirectional;
  shape.attention = run.model.attention;
  shape.dropout = static_cast<float>(run.model.dropout);
  shape.source_words = run.model.kind == ModelKind::kLanguage ? 0 : source.size();
  shape.target_words = target.size();
  shape.kind = run.model.kind;
  shape.cell = run.model.cell;
  shape.tied = run.model.tied_embeddings;
  return shape;
}

Preparation prepare(const RunFile& run, const PrepareOptions& options, CheckpointStore& store,
                    EventSink& events) {
  Preparation out;
  out.run = run;
  read_corpus(options, events, out);
  const auto loaded = newest_checkpoint(run, store, options, events);
  std::optional<InitialWeights> initial;
  if (loaded) {
    resume(options, *loaded, events, out);
  } else {
    initial = begin(options, out);
    if (run.train.batch_size == kFitBatch) fit_batch(options, events, out);
  }
  out.identity.run = run.name;
  out.identity.settings = identity_of(out.run);
  out.identity.corpus_fingerprint = out.corpus->fingerprint();
  out.identity.config = to_toml(out.run);
  const ModelShape shape = shape_of(run, *out.source, *out.target);
  look_for_space(options, store, shape, out, events);
  out.device = options.make_device(choice_of(run.train));
  out.model = std::make_unique<SequenceModel>(*out.device.backend, shape, run.train.optimizer);
  if (loaded) {
    restore_model(loaded->content, *out.model);
  } else if (initial) {
    restore_weights(initial->content, *out.model);
  } else {
    out.model->initialise(run.seed);
  }
  return out;
}

}  // namespace traind
