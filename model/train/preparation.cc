#include "model/train/preparation.h"

#include <algorithm>
#include <array>
#include <sstream>
#include <vector>

#include "model/base/error.h"
#include "model/checkpoint/writer.h"

namespace traind {
namespace {

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

void resume(const RunFile& run, const PrepareOptions& options, const LoadedCheckpoint& loaded,
            EventSink& events, Preparation& out) {
  const RunIdentity was = decode_identity(loaded.content.metadata);
  check_settings(was, run);
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

}  // namespace

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

std::vector<CheckpointTensor> checkpoint_tensors(const Seq2seq& model) {
  constexpr std::array kPrefix = {"", "optim.first.", "optim.second."};
  std::vector<CheckpointTensor> tensors;
  for (int row = 0; row < 3; ++row) {
    for (const ParameterEntry& entry : model.parameters()) {
      tensors.push_back({kPrefix[static_cast<std::size_t>(row)] + entry.name, entry.shape, row,
                         entry.offset, entry.size});
    }
  }
  return tensors;
}

void restore_model(const CheckpointContent& content, Seq2seq& model) {
  const std::size_t size = row_size(model.parameters());
  std::array<std::vector<float>, 3> rows;
  for (std::vector<float>& row : rows) row.assign(size, 0.0f);
  for (const CheckpointTensor& slot : checkpoint_tensors(model)) {
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
}

Preparation prepare(const RunFile& run, const PrepareOptions& options, CheckpointStore& store,
                    EventSink& events) {
  Preparation out;
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
    resume(run, options, *loaded, events, out);
  } else {
    out.source = std::make_unique<Vocabulary>(out.corpus->source_vocabulary());
    out.target = std::make_unique<Vocabulary>(out.corpus->target_vocabulary());
    out.identity.source_vocabulary = to_text(*out.source);
    out.identity.target_vocabulary = to_text(*out.target);
  }
  out.identity.run = run.name;
  out.identity.settings = identity_of(run);
  out.identity.corpus_fingerprint = out.corpus->fingerprint();
  out.identity.config = to_toml(run);
  out.device = make_backend({run.train.device, run.train.threads});
  out.model =
      std::make_unique<Seq2seq>(*out.device.backend, shape_of(run, *out.source, *out.target));
  if (loaded) {
    restore_model(loaded->content, *out.model);
  } else {
    out.model->initialise(run.seed);
  }
  return out;
}

}  // namespace traind
