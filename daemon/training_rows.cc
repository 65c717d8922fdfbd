#include "daemon/training_rows.h"

#include <map>

#include "model/train/measure.h"

namespace traind {
namespace {

#define TRAIND_METRIC_COLUMNS                                                               \
  "step, epoch, batch, batches_per_epoch, inputs, loss, accuracy, valid_loss, "             \
  "gradient_norm, learning_rate, examples_per_second, tokens_per_second, trained_seconds, " \
  "gpu_utilisation, gpu_memory_bytes, gpu_memory_total_bytes, gpu_celsius, gpu_watts"
#define TRAIND_EPOCH_COLUMNS                                                           \
  "epoch, epochs, step, train_loss, valid_loss, examples, exact, character_accuracy, " \
  "corrupted, correction, copy_exact, copy_character_accuracy, best, learning_rate, "  \
  "digest, epoch_seconds, trained_seconds, examples_per_second, tokens_per_second, "   \
  "character_error_rate, word_error_rate, bleu, bleu_signature, measure"

MetricRow read_metric(const Query& row) {
  MetricRow metric;
  metric.step = row.integer(0);
  metric.epoch = static_cast<int>(row.integer(1));
  metric.batch = row.integer(2);
  metric.batches_per_epoch = row.integer(3);
  metric.inputs = row.integer(4);
  metric.loss = row.real(5);
  metric.accuracy = row.real(6);
  metric.valid_loss = row.real(7);
  metric.gradient_norm = row.real(8);
  metric.rate = row.real(9);
  metric.examples_per_second = row.real(10);
  metric.tokens_per_second = row.real(11);
  metric.trained_seconds = row.real(12);
  metric.gpu = {row.real(13), row.real(14), row.real(15), row.real(16), row.real(17)};
  return metric;
}

std::vector<MetricRow> read_metrics(Query row) {
  std::vector<MetricRow> metrics;
  while (row.next()) metrics.push_back(read_metric(row));
  return metrics;
}

Measure measure_from_name(const std::string& name) {
  for (const Measure measure :
       {Measure::kExact, Measure::kCharacterAccuracy, Measure::kCharacterErrorRate,
        Measure::kWordErrorRate, Measure::kBleu, Measure::kCorrection}) {
    if (name == name_of(measure)) return measure;
  }
  return Measure::kLoss;
}

EpochDone read_epoch(const Query& row) {
  EpochDone epoch;
  epoch.epoch = static_cast<int>(row.integer(0));
  epoch.epochs = static_cast<int>(row.integer(1));
  epoch.step = row.integer(2);
  epoch.train_loss = row.real(3);
  epoch.valid_loss = row.real(4);
  epoch.scores.examples = row.integer(5);
  epoch.scores.exact = row.real(6);
  epoch.scores.character_accuracy = row.real(7);
  epoch.scores.corrupted = row.integer(8);
  epoch.scores.correction = row.real(9);
  epoch.scores.copy_exact = row.real(10);
  epoch.scores.copy_character_accuracy = row.real(11);
  epoch.best = row.integer(12) != 0;
  epoch.rate = row.real(13);
  epoch.digest = row.text(14);
  epoch.epoch_seconds = row.real(15);
  epoch.trained_seconds = row.real(16);
  epoch.examples_per_second = row.real(17);
  epoch.tokens_per_second = row.real(18);
  epoch.scores.character_error_rate = row.real(19);
  epoch.scores.word_error_rate = row.real(20);
  epoch.scores.bleu = row.real(21);
  epoch.scores.bleu_signature = row.text(22);
  epoch.measure = measure_from_name(row.text(23));
  return epoch;
}

CheckpointReason checkpoint_reason(const std::string& name) {
  if (name == "epoch") return CheckpointReason::kEpoch;
  if (name == "stop") return CheckpointReason::kStop;
  if (name == "request") return CheckpointReason::kRequest;
  return CheckpointReason::kInterval;
}

}  // namespace

const char* name_of(CheckpointReason reason) noexcept {
  switch (reason) {
    case CheckpointReason::kEpoch:
      return "epoch";
    case CheckpointReason::kStop:
      return "stop";
    case CheckpointReason::kRequest:
      return "request";
    case CheckpointReason::kInterval:
      break;
  }
  return "interval";
}

void put_metric(Database& db, std::int64_t run, const MetricRow& row, std::int64_t now_micros) {
  db.run("INSERT OR REPLACE INTO metrics (" TRAIND_METRIC_COLUMNS
         ", run, stored_micros) "
         "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, "
         "?18, ?19, ?20)",
         row.step, row.epoch, row.batch, row.batches_per_epoch, row.inputs, row.loss, row.accuracy,
         row.valid_loss, row.gradient_norm, row.rate, row.examples_per_second,
         row.tokens_per_second, row.trained_seconds, row.gpu.utilisation, row.gpu.memory_bytes,
         row.gpu.memory_total_bytes, row.gpu.celsius, row.gpu.watts, run, now_micros);
}

void put_epoch(Database& db, std::int64_t run, const EpochDone& epoch, std::int64_t now_micros) {
  const Scores& scores = epoch.scores;
  db.run("DELETE FROM samples WHERE run = ?1 AND epoch = ?2", run, epoch.epoch);
  db.run("INSERT OR REPLACE INTO epochs (" TRAIND_EPOCH_COLUMNS
         ", run, stored_micros) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, "
         "?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26)",
         epoch.epoch, epoch.epochs, epoch.step, epoch.train_loss, epoch.valid_loss, scores.examples,
         scores.exact, scores.character_accuracy, scores.corrupted, scores.correction,
         scores.copy_exact, scores.copy_character_accuracy, epoch.best, epoch.rate, epoch.digest,
         epoch.epoch_seconds, epoch.trained_seconds, epoch.examples_per_second,
         epoch.tokens_per_second, scores.character_error_rate, scores.word_error_rate, scores.bleu,
         scores.bleu_signature, name_of(epoch.measure), run, now_micros);
  int position = 0;
  for (const Sample& sample : epoch.samples) {
    db.run(
        "INSERT INTO samples (run, epoch, position, source, target, output) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        run, epoch.epoch, ++position, sample.source, sample.target, sample.output);
  }
}

void put_checkpoint(Database& db, std::int64_t run, const CheckpointSaved& checkpoint,
                    std::int64_t now_micros) {
  if (checkpoint.best) db.run("UPDATE checkpoints SET best = 0 WHERE run = ?1 AND best", run);
  db.run(
      "INSERT OR REPLACE INTO checkpoints (run, file, step, epoch, reason, bytes, digest, best, "
      "stall_seconds, write_seconds, saved_micros) "
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
      run, checkpoint.file, checkpoint.step, checkpoint.epoch, name_of(checkpoint.reason),
      checkpoint.bytes, checkpoint.digest, checkpoint.best, checkpoint.stall_seconds,
      checkpoint.write_seconds, now_micros);
  // The checkpoint knows the corpus as it is now: nothing is left to be accepted.
  db.run("UPDATE runs SET accept_changed_data = 0 WHERE run = ?1", run);
}

void mark_pruned(Database& db, std::int64_t run, const std::string& file, std::int64_t now_micros) {
  db.run("UPDATE checkpoints SET pruned_micros = ?3 WHERE run = ?1 AND file = ?2", run, file,
         now_micros);
}

std::vector<MetricRow> metrics_after(Database& db, std::int64_t run, std::int64_t after_step,
                                     int limit) {
  return read_metrics(db.query("SELECT " TRAIND_METRIC_COLUMNS
                               " FROM metrics WHERE run = ?1 AND step > ?2 ORDER BY step LIMIT ?3",
                               run, after_step, limit));
}

std::vector<MetricRow> metrics_of_epoch(Database& db, std::int64_t run, int epoch) {
  return read_metrics(db.query("SELECT " TRAIND_METRIC_COLUMNS
                               " FROM metrics WHERE run = ?1 AND epoch = ?2 ORDER BY step",
                               run, epoch));
}

std::optional<MetricRow> newest_metric(Database& db, std::int64_t run) {
  Query row = db.query("SELECT " TRAIND_METRIC_COLUMNS
                       " FROM metrics WHERE run = ?1 ORDER BY step DESC LIMIT 1",
                       run);
  if (!row.next()) return std::nullopt;
  return read_metric(row);
}

std::vector<EpochDone> epochs_of(Database& db, std::int64_t run) {
  std::map<int, std::vector<Sample>> samples;
  Query sample = db.query(
      "SELECT epoch, source, target, output FROM samples WHERE run = ?1 ORDER BY epoch, position",
      run);
  while (sample.next()) {
    samples[static_cast<int>(sample.integer(0))].push_back(
        {sample.text(1), sample.text(2), sample.text(3)});
  }
  std::vector<EpochDone> epochs;
  Query row =
      db.query("SELECT " TRAIND_EPOCH_COLUMNS " FROM epochs WHERE run = ?1 ORDER BY epoch", run);
  while (row.next()) {
    epochs.push_back(read_epoch(row));
    epochs.back().samples = std::move(samples[epochs.back().epoch]);
  }
  return epochs;
}

std::optional<EpochDone> newest_epoch(Database& db, std::int64_t run) {
  Query row = db.query("SELECT " TRAIND_EPOCH_COLUMNS
                       " FROM epochs WHERE run = ?1 ORDER BY epoch DESC LIMIT 1",
                       run);
  if (!row.next()) return std::nullopt;
  return read_epoch(row);
}

std::vector<CheckpointRow> checkpoints_of(Database& db, std::int64_t run) {
  std::vector<CheckpointRow> checkpoints;
  Query row = db.query(
      "SELECT file, step, epoch, reason, bytes, digest, best, stall_seconds, write_seconds, "
      "saved_micros FROM checkpoints WHERE run = ?1 AND pruned_micros = 0 ORDER BY step DESC",
      run);
  while (row.next()) {
    CheckpointRow checkpoint;
    checkpoint.saved.file = row.text(0);
    checkpoint.saved.step = row.integer(1);
    checkpoint.saved.epoch = static_cast<int>(row.integer(2));
    checkpoint.saved.reason = checkpoint_reason(row.text(3));
    checkpoint.saved.bytes = row.integer(4);
    checkpoint.saved.digest = row.text(5);
    checkpoint.saved.best = row.integer(6) != 0;
    checkpoint.saved.stall_seconds = row.real(7);
    checkpoint.saved.write_seconds = row.real(8);
    checkpoint.saved_micros = row.integer(9);
    checkpoints.push_back(std::move(checkpoint));
  }
  return checkpoints;
}

}  // namespace traind
