#include "model/train/translator.h"

#include <utility>

#include "model/base/error.h"
#include "model/checkpoint/store.h"
#include "model/data/utf8.h"

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

}  // namespace

Translator::Translator(const RunFile& run, const RunFolder& folder, bool best) {
  const LoadedCheckpoint loaded = load(folder, best);
  checkpoint_ = loaded.file;
  const RunIdentity identity = decode_identity(loaded.content.metadata);
  source_ = std::make_unique<Vocabulary>(vocabulary_from_text(identity.source_vocabulary));
  target_ = std::make_unique<Vocabulary>(vocabulary_from_text(identity.target_vocabulary));
  // One thread: an answer can wait a moment, the training beside it should not.
  device_ = make_backend({"cpu", 1});
  model_ = std::make_unique<SequenceModel>(*device_.backend, shape_of(run, *source_, *target_));
  restore_model(loaded.content, *model_);
}

std::vector<std::string> Translator::answer(std::span<const std::string> lines) {
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (scan_text(lines[i]).fault != TextFault::kNone) {
      throw Error(ErrorKind::kData, "line " + std::to_string(i + 1) +
                                        " is not valid UTF-8 or has control characters in it");
    }
  }
  return Answerer(*model_, *source_, *target_).answer(lines);
}

}  // namespace traind
