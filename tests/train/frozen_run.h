// The runs whose checkpoints lie frozen in tests/checkpoint/data, one for each form that a run's
// checkpoint has had. Their settings must stay as they are. Values; owned by the test.
#pragma once

#include <cstdint>
#include <fstream>
#include <ostream>
#include <string>
#include <vector>

#include "model/train/run_file.h"

namespace traind {

struct FrozenRun {
  std::string name;  // NAME.safetensors and NAME.answers are the files
  RunFile run;
  std::int64_t step = 0;  // its last
};

inline void PrintTo(const FrozenRun& frozen, std::ostream* out) { *out << frozen.name; }

// Where the corpus is read from: relative, so that no machine's path is in the frozen file.
inline constexpr const char* kFrozenCorpus = "sums.tsv";

inline void write_frozen_corpus() {
  std::ofstream corpus(kFrozenCorpus);
  for (int a = 0; a < 8; ++a) {
    for (int b = 0; b < 10; ++b) corpus << a << "+" << b << "\t" << a + b << "\n";
  }
}

// 1: without results of all epochs, and without settings that came later (LSTM, Adam, loss).
// 2: with them.
inline std::vector<FrozenRun> frozen_runs() {
  RunFile run;
  run.name = "sums";
  run.data.train = kFrozenCorpus;
  run.data.valid_fraction = 0.2;
  run.model = {1, 12, 8, true, true, 0.1};
  run.train.epochs = 40;
  run.train.batch_size = 8;
  run.train.learning_rate = 0.02;
  run.train.device = "cpu";
  run.train.threads = 1;
  run.checkpoint.keep = 1;
  RunFile gru = run;
  gru.model.cell = CellKind::kGru;
  gru.model.embedding = 12;
  gru.model.tied_embeddings = true;
  gru.train.optimizer = Optimizer::kSgd;
  gru.train.learning_rate = 0.2;
  gru.train.best = Measure::kExact;
  gru.schedule.warmup_steps = 4;
  gru.decode.beam = 3;
  return {{"run_1", run, 360}, {"run_2", gru, 360}};
}

}  // namespace traind
