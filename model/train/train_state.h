// Everything beside the weights that the next step or the next event depends on, as plain values,
// and as the metadata of a checkpoint.
//
// A value; safe on any thread. If a number influences what follows, it is in here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/checkpoint/codec.h"
#include "model/data/batches.h"
#include "model/train/events.h"

namespace traind {

// Sums over the steps since the last metric row.
struct RowSums {
  double loss = 0;  // nats, over tokens
  std::int64_t tokens = 0;
  std::int64_t correct = 0;
  double gradient_norm = 0;  // over steps
  std::int64_t steps = 0;
};

struct TrainState {
  std::int64_t step = 0;     // updates done
  std::int64_t batches = 0;  // done since the run began: the number of the next one's draws
  int epoch = 1;             // being trained, 1-based; above the number of epochs = all done
  std::int64_t batch = 0;    // done in this epoch; whole updates only
  BatchSize batch_size;      // of this epoch, once it has begun: it ends as it began
  std::int64_t inputs = 0;   // examples seen in this epoch
  double epoch_loss = 0;     // nats, over epoch_tokens
  std::int64_t epoch_tokens = 0;
  double epoch_seconds = 0;    // trained in this epoch by earlier workers
  double trained_seconds = 0;  // trained in all by earlier workers
  RowSums row;
  // What train.best was after each epoch: best checkpoint, plateaus and early stop follow from it.
  std::vector<double> results;
  std::int64_t best_step = -1;  // step of the checkpoint after the best epoch
  bool cut_short = false;       // the newest epoch was ended by a limit of steps or hours
  // What has been told but not acknowledged; told again after a resume.
  std::vector<MetricRow> rows;
  std::vector<EpochDone> epochs;
};

// What a checkpoint says about the run it belongs to.
struct RunIdentity {
  std::string run;                    // name
  std::vector<std::string> settings;  // identity_of(run file)
  std::string corpus_fingerprint;
  std::string source_vocabulary;  // to_text()
  std::string target_vocabulary;
  std::string config;  // to_toml(run file), for people
  // The run and the checkpoint whose weights it began with, "RUN FILE"; empty = none.
  std::string started_from;
};

// Adds both to `metadata`; numbers are exact (hexadecimal fractions).
void encode_state(const TrainState& state, const RunIdentity& identity, Metadata& metadata);

// Throw Error(kCorrupt) when a key is missing, naming it, or unreadable.
TrainState decode_state(const Metadata& metadata);
RunIdentity decode_identity(const Metadata& metadata);

}  // namespace traind
