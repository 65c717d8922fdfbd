// A run as its author wrote it (run.toml), parsed once into plain values.
//
// A value; safe on any thread. Defaults stand here and nowhere else; README.md explains each key.
// An unknown key, a wrong type or a value out of range is Error(kConfig) with file, line and, for
// a key, the nearest one that exists.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/backend/choices.h"
#include "model/data/corpus_settings.h"
#include "model/nn/parameters.h"
#include "model/train/events.h"

namespace traind {

struct ModelSection {
  int layers = 2;
  int hidden = 512;              // width of the encoder's output and of the decoder
  int embedding = 0;             // 0 = hidden
  bool bidirectional = false;    // encoder: hidden/2 a direction, side by side
  bool attention = false;        // Luong, general
  double dropout = 0;            // probability of dropping, between layers
  bool tied_embeddings = false;  // the output projection is the decoder's embedding
  ModelKind kind = ModelKind::kSeq2seq;
  CellKind cell = CellKind::kLstm;
};

// batch_size = "fit": as many examples as the GPU's memory holds, found when the run begins.
inline constexpr int kFitBatch = 0;

struct TrainSection {
  int epochs = 10;
  int batch_size = 128;  // or kFitBatch
  // Above 0, in place of batch_size: as many examples as have at most so many tokens, source and
  // target with their padding.
  int batch_tokens = 0;
  int accumulate = 1;          // batches whose gradients make one update
  std::int64_t max_steps = 0;  // updates; 0 = no limit
  double max_hours = 0;        // of training, over all resumptions; 0 = no limit
  Optimizer optimizer = Optimizer::kAdam;
  double learning_rate = 0.001;  // the schedule's highest
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double momentum = 0.9;    // sgd
  double weight_decay = 0;  // adamw, sgd
  double label_smoothing = 0;
  double clip_norm = 5;           // 0 = no clipping
  Measure best = Measure::kLoss;  // what the best checkpoint, plateau and early stop follow
  int patience = 0;               // epochs without a better one before the run ends; 0 = off
  std::string device = "auto";
  std::string precision = "fp32";  // of a GPU's matrix products
  bool deterministic = false;      // equal bits every time, also on a GPU
  int threads = 0;                 // 0 = one per core
};

// The learning rate of an update: a pure function of its number and of the epochs' results.
enum class ScheduleKind { kConstant, kInverseSqrt, kCosine, kPlateau };

struct ScheduleSection {
  ScheduleKind kind = ScheduleKind::kConstant;
  std::int64_t warmup_steps = 0;  // rises linearly to learning_rate over so many updates
  std::int64_t decay_steps = 0;   // cosine: updates until the floor is reached; 0 = all of the run
  double floor = 0;               // no rate below this
  double factor = 0.5;            // plateau: multiplies the rate
  int patience = 1;               // plateau: after so many epochs without a better one
};

// How held-out lines and samples are answered, and `translate` unless it is told otherwise.
struct DecodeSection {
  int beam = 1;
  double length_alpha = 0.6;
};

// What training does while checkpoints cannot be saved: goes on without, or waits until they can.
enum class SaveTrouble { kContinue, kPause };

struct CheckpointSection {
  std::int64_t every_batches = 0;  // 0 = off
  double every_minutes = 10;       // 0 = off
  int keep = 3;                    // newest kept; the best one is kept beside them
  SaveTrouble on_error = SaveTrouble::kContinue;
};

struct ReportSection {
  std::int64_t every_batches = 100;  // batches in one metric row
  int samples = 3;                   // held-out lines shown after each epoch
};

struct RunFile {
  std::string name;
  std::uint64_t seed = 1;
  DataSection data;
  NoiseSection noise;
  ModelSection model;
  TrainSection train;
  ScheduleSection schedule;
  DecodeSection decode;
  CheckpointSection checkpoint;
  ReportSection report;
};

// `path` names the file in errors; relative corpus paths are taken from `base_folder`.
RunFile parse_run_file(const std::string& text, const std::string& path,
                       const std::string& base_folder);

// Every value, defaults included, as TOML in a fixed order; parsing it gives the same RunFile.
std::string to_toml(const RunFile& run);

// What must be the same for a resumed run to be the same run: lines "section.key = value", all
// but how and where it is computed (device, threads, precision, deterministic) and what decides
// nothing about the weights (checkpoint.*, report.samples).
std::vector<std::string> identity_of(const RunFile& run);

// [A-Za-z0-9][A-Za-z0-9._-]{0,63}
bool is_valid_run_name(const std::string& name);

}  // namespace traind
