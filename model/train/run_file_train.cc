// [train] and [schedule].
#include "model/train/run_file_tables.h"

namespace traind {
namespace {

constexpr std::int64_t kManySteps = std::int64_t{1} << 40;
constexpr std::int64_t kManyTokens = std::int64_t{1} << 24;

int read_batch_size(TomlReader& in, int usual) {
  if (in.is_text("train", "batch_size")) {
    if (in.text("train", "batch_size", "") == "fit") return kFitBatch;
    throw in.error_at("train", "batch_size",
                      "train.batch_size must be a whole number or \"fit\", which takes as many "
                      "examples as the GPU's memory holds");
  }
  return static_cast<int>(in.integer("train", "batch_size", usual, 1, 65'536));
}

void read_batches(TomlReader& in, TrainSection& train) {
  train.batch_size = read_batch_size(in, train.batch_size);
  train.batch_tokens = static_cast<int>(
      in.has("train", "batch_tokens") ? in.integer("train", "batch_tokens", 1, 1, kManyTokens) : 0);
  if (train.batch_tokens > 0 && in.has("train", "batch_size")) {
    throw in.error_at("train", "batch_tokens",
                      "train.batch_tokens takes the place of train.batch_size; give one of them");
  }
  train.accumulate =
      static_cast<int>(in.integer("train", "accumulate", train.accumulate, 1, 65'536));
}

// Keys of one optimizer, given with another.
void refuse_foreign_keys(TomlReader& in, Optimizer optimizer) {
  const bool sgd = optimizer == Optimizer::kSgd;
  for (const char* key : {"beta1", "beta2", "epsilon"}) {
    if (sgd && in.has("train", key)) {
      throw in.error_at("train", key,
                        std::string("train.") + key +
                            " belongs to optimizer = \"adam\" and \"adamw\"; \"sgd\" has momentum");
    }
  }
  if (!sgd && in.has("train", "momentum")) {
    throw in.error_at("train", "momentum",
                      "train.momentum belongs to optimizer = \"sgd\"; Adam has beta1 and beta2");
  }
  if (optimizer == Optimizer::kAdam && in.has("train", "weight_decay")) {
    throw in.error_at("train", "weight_decay",
                      "train.weight_decay would be scaled by Adam's moments; use optimizer = "
                      "\"adamw\", whose decay is not, or \"sgd\"");
  }
}

void read_optimizer(TomlReader& in, TrainSection& train) {
  train.optimizer = read_word(in, "train", "optimizer", kOptimizerWords, train.optimizer);
  refuse_foreign_keys(in, train.optimizer);
  train.learning_rate = in.number("train", "learning_rate", train.learning_rate, 1e-12, 100);
  train.beta1 = in.number("train", "beta1", train.beta1, 0, 0.999999);
  train.beta2 = in.number("train", "beta2", train.beta2, 0, 0.9999999);
  train.epsilon = in.number("train", "epsilon", train.epsilon, 1e-20, 1);
  train.momentum = in.number("train", "momentum", train.momentum, 0, 0.9999999);
  train.weight_decay = in.number("train", "weight_decay", train.weight_decay, 0, 100);
  train.clip_norm = in.number("train", "clip_norm", train.clip_norm, 0, 1e9);
}

void read_judgement(TomlReader& in, const ModelSection& model, TrainSection& train) {
  train.best = read_word(in, "train", "best", kMeasureWords, train.best);
  train.patience = static_cast<int>(in.integer("train", "patience", train.patience, 0, 1'000'000));
  if (model.kind == ModelKind::kLanguage && train.best != Measure::kLoss) {
    throw in.error_at("train", "best",
                      "train.best can only be \"loss\" with model.kind = \"language\": a language "
                      "model answers nothing that could be right or wrong");
  }
}

// Keys of one kind of schedule, given with another.
void refuse_foreign_keys(TomlReader& in, ScheduleKind kind) {
  const auto refuse = [&](const char* key, const char* belongs) {
    if (!in.has("schedule", key)) return;
    throw in.error_at("schedule", key,
                      std::string("schedule.") + key + " belongs to schedule.kind = " + belongs +
                          ", and this is \"" + word_of(kScheduleWords, kind) + "\"");
  };
  if (kind != ScheduleKind::kCosine) refuse("decay_steps", "\"cosine\"");
  if (kind != ScheduleKind::kPlateau) refuse("factor", "\"plateau\"");
  if (kind != ScheduleKind::kPlateau) refuse("patience", "\"plateau\"");
  if (kind == ScheduleKind::kConstant) {
    refuse("floor", "\"inverse_sqrt\", \"cosine\" or \"plateau\"");
  }
}

}  // namespace

void read_train(TomlReader& in, const ModelSection& model, TrainSection& train) {
  train.epochs = static_cast<int>(in.integer("train", "epochs", train.epochs, 1, 1'000'000));
  train.max_steps = in.integer("train", "max_steps", train.max_steps, 0, kManySteps);
  train.max_hours = in.number("train", "max_hours", train.max_hours, 0, 1e6);
  read_batches(in, train);
  read_optimizer(in, train);
  train.label_smoothing = in.number("train", "label_smoothing", train.label_smoothing, 0, 0.99);
  read_judgement(in, model, train);
  train.device = in.choice("train", "device", train.device, {"auto", "cpu", "cuda"});
  train.precision =
      in.choice("train", "precision", train.precision, {"fp32", "tf32", "bf16", "fp16"});
  train.deterministic = in.boolean("train", "deterministic", train.deterministic);
  train.threads = static_cast<int>(in.integer("train", "threads", train.threads, 0, 1'024));
}

void read_schedule(TomlReader& in, const TrainSection& train, ScheduleSection& schedule) {
  schedule.kind = read_word(in, "schedule", "kind", kScheduleWords, schedule.kind);
  refuse_foreign_keys(in, schedule.kind);
  schedule.warmup_steps =
      in.integer("schedule", "warmup_steps", schedule.warmup_steps, 0, kManySteps);
  schedule.decay_steps = in.integer("schedule", "decay_steps", schedule.decay_steps, 0, kManySteps);
  schedule.floor = in.number("schedule", "floor", schedule.floor, 0, 100);
  schedule.factor = in.number("schedule", "factor", schedule.factor, 1e-6, 0.999999);
  schedule.patience =
      static_cast<int>(in.integer("schedule", "patience", schedule.patience, 1, 1'000'000));
  if (schedule.kind == ScheduleKind::kInverseSqrt && schedule.warmup_steps == 0) {
    throw in.error_at("schedule", "kind",
                      "schedule.kind = \"inverse_sqrt\" needs schedule.warmup_steps: the rate "
                      "falls as sqrt(warmup_steps / step) after it");
  }
  if (schedule.decay_steps > 0 && schedule.decay_steps <= schedule.warmup_steps) {
    throw in.error_at("schedule", "decay_steps",
                      "schedule.decay_steps counts from the first update and must be above "
                      "schedule.warmup_steps");
  }
  if (schedule.floor > train.learning_rate) {
    throw in.error_at("schedule", "floor",
                      "schedule.floor is above train.learning_rate, the schedule's highest");
  }
}

}  // namespace traind
