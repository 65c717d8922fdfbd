#include "model/train/translator.h"

#include <algorithm>
#include <utility>

#include "model/base/error.h"
#include "model/checkpoint/store.h"
#include "model/data/utf8.h"
#include "model/train/model_checkpoint.h"

namespace traind {
namespace {

LoadedCheckpoint load(const RunFolder& folder, bool best) {
  const CheckpointStore store(posix_files(), folder.checkpoints());
  auto newest = store.newest_good([](const std::string&, const std::string&) {});
  if (!newest) {
    throw Error(ErrorKind::kNotFound,
                "the run has no checkpoint yet: wait for the first one, or ask for it with "
                "`trainctl save`");
  }
  if (!best) return std::move(*newest);
  const std::int64_t step = decode_state(newest->content.metadata).best_step;
  if (step < 0) {
    throw Error(ErrorKind::kNotFound,
                "there is no best checkpoint before the first epoch is validated");
  }
  if (step == newest->step) return std::move(*newest);
  return store.load(checkpoint_name(step));
}

AnswerSettings settings_of(const RunFile& run, const TranslateOptions& options) {
  AnswerSettings settings;
  settings.search = search_of(run.decode);
  settings.search.temperature = static_cast<float>(options.temperature);
  settings.search.seed = options.seed;
  settings.answers = options.answers;
  settings.max_tokens = options.max_tokens.value_or(0);
  int& beam = settings.search.beam;
  if (options.temperature > 0) {
    if (options.beam.value_or(1) != 1) {
      throw Error(ErrorKind::kConfig,
                  "a beam looks for likely answers and a temperature draws them: give one of both");
    }
    beam = 1;
  } else {
    beam = options.beam.value_or(std::max(beam, options.answers));
  }
  return settings;
}

}  // namespace

Translator::Translator(const RunFile& run, const RunFolder& folder, const TranslateOptions& options)
    : settings_(settings_of(run, options)) {
  const LoadedCheckpoint loaded = load(folder, options.best);
  checkpoint_ = loaded.file;
  const RunIdentity identity = decode_identity(loaded.content.metadata);
  source_ = std::make_unique<Vocabulary>(vocabulary_from_text(identity.source_vocabulary));
  target_ = std::make_unique<Vocabulary>(vocabulary_from_text(identity.target_vocabulary));
  const ModelShape shape = shape_of(run, *source_, *target_);
  const std::string misfit = weights_misfit(loaded.content, shape);
  if (!misfit.empty()) {
    throw Error(ErrorKind::kCorrupt, checkpoint_ + " is not of the run file's model: " + misfit);
  }
  // One thread: an answer can wait a moment, the training beside it should not.
  device_ = make_backend({"cpu", 1});
  model_ = std::make_unique<SequenceModel>(*device_.backend, shape);
  restore_weights(loaded.content, *model_);
}

std::vector<std::vector<Answer>> Translator::answer(std::span<const std::string> lines) const {
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (scan_text(lines[i]).fault != TextFault::kNone) {
      throw Error(ErrorKind::kData, "line " + std::to_string(i + 1) +
                                        " is not valid UTF-8 or has control characters in it");
    }
  }
  const BatchEncoding encoding{source_.get(), target_.get(), model_->device().step_multiple};
  return Answerer(*model_, encoding, settings_).answer(lines);
}

}  // namespace traind
