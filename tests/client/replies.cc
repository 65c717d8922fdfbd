#include "tests/client/replies.h"

#include <cmath>

namespace traind::test {

namespace {

constexpr std::int64_t kSecond = 1000000;

v1::Scores scores() {
  v1::Scores scores;
  scores.set_examples(2000);
  scores.set_exact(0.412);
  scores.set_character_accuracy(0.881);
  scores.set_corrupted(1602);
  scores.set_correction(0.3514);
  scores.set_copy_exact(0.199);
  scores.set_copy_character_accuracy(0.853);
  scores.set_character_error_rate(0.119);
  scores.set_word_error_rate(0.588);
  scores.set_bleu(54.213);
  scores.set_bleu_signature("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.4.0");
  return scores;
}

v1::Checkpoint checkpoint(std::int64_t step, int epoch, bool best) {
  v1::Checkpoint checkpoint;
  checkpoint.set_file("step-" + std::to_string(step) + ".safetensors");
  checkpoint.set_step(step);
  checkpoint.set_epoch(epoch);
  checkpoint.set_reason(best ? v1::CHECKPOINT_REASON_EPOCH : v1::CHECKPOINT_REASON_INTERVAL);
  checkpoint.set_bytes(9812345);
  checkpoint.set_digest(best ? "0123456789abcdef" : "a1b2c3d4e5f60718");
  checkpoint.set_best(best);
  checkpoint.set_saved_micros(kNow - (best ? 95 : 12) * kSecond);
  return checkpoint;
}

v1::WatchRunResponse event(std::int64_t sequence) {
  v1::WatchRunResponse event;
  event.set_sequence(sequence);
  event.set_time_micros(kNow - (100 - sequence) * kSecond);
  return event;
}

v1::WatchRunResponse metric_event(std::int64_t sequence, const v1::MetricRow& row) {
  v1::WatchRunResponse result = event(sequence);
  *result.mutable_metric_row() = row;
  return result;
}

v1::WatchRunResponse started_event(std::int64_t sequence) {
  v1::WatchRunResponse result = event(sequence);
  v1::RunStarted& started = *result.mutable_run_started();
  started.set_device("cpu");
  started.set_device_name("Intel Xeon, 2 threads");
  started.set_device_reason("no CUDA device was found");
  started.set_parameters(1234567);
  started.set_train_examples(72000);
  started.set_valid_examples(2000);
  started.set_skipped_lines(3);
  started.set_batches_per_epoch(1125);
  started.set_epochs(3);
  started.set_resumed_step(-1);
  started.set_corpus_fingerprint("feedfacecafebeef");
  return result;
}

v1::WatchRunResponse epoch_event(std::int64_t sequence) {
  v1::WatchRunResponse result = event(sequence);
  v1::EpochDone& done = *result.mutable_epoch_done();
  done.set_epoch(1);
  done.set_epochs(3);
  done.set_step(1125);
  done.set_train_loss(1.2345);
  done.set_valid_loss(0.6543);
  *done.mutable_scores() = scores();
  v1::Sample& sample = *done.add_samples();
  sample.set_source("spelinng");
  sample.set_target("spelling");
  sample.set_output("spelling");
  done.set_best(true);
  done.set_rate(0.001);
  done.set_digest("0123456789abcdef");
  done.set_epoch_seconds(71.5);
  done.set_trained_seconds(71.5);
  done.set_examples_per_second(1007);
  done.set_tokens_per_second(17800);
  done.set_measure(v1::MEASURE_EXACT);
  return result;
}

v1::WatchRunResponse checkpoint_event(std::int64_t sequence) {
  v1::WatchRunResponse result = event(sequence);
  v1::CheckpointSaved& saved = *result.mutable_checkpoint_saved();
  saved.set_file("step-1125.safetensors");
  saved.set_step(1125);
  saved.set_epoch(1);
  saved.set_reason(v1::CHECKPOINT_REASON_EPOCH);
  saved.set_bytes(9812345);
  saved.set_digest("0123456789abcdef");
  saved.set_best(true);
  saved.set_stall_seconds(0.0007);
  saved.set_write_seconds(0.021);
  return result;
}

}  // namespace

v1::Run running_run() {
  v1::Run run;
  run.set_id("01JD7Q0000000000000000000A");
  run.set_name("spelling");
  run.set_state(v1::RUN_STATE_RUNNING);
  run.set_reason("training epoch 2 of 3");
  run.set_created_micros(kNow - 140 * kSecond);
  run.set_started_micros(kNow - 136 * kSecond);
  run.set_epoch(2);
  run.set_epochs(3);
  run.set_step(1435);
  run.set_valid_loss(0.6543);
  run.set_valid_loss_known(true);
  *run.mutable_scores() = scores();
  run.set_measure(v1::MEASURE_EXACT);
  run.set_started_from("words@step-9000.safetensors");
  return run;
}

v1::Run failed_run() {
  v1::Run run;
  run.set_id("01JD7P0000000000000000000B");
  run.set_name("words");
  run.set_state(v1::RUN_STATE_FAILED);
  run.set_reason("the worker ended 3 times without progress: killed by signal 9");
  run.set_created_micros(kNow - 7200 * kSecond);
  run.set_started_micros(kNow - 7190 * kSecond);
  run.set_finished_micros(kNow - 3600 * kSecond);
  run.set_epoch(1);
  run.set_epochs(10);
  run.set_step(310);
  run.set_restarts(3);
  return run;
}

v1::GetStatusResponse running_status() {
  v1::GetStatusResponse status;
  *status.mutable_run() = running_run();
  v1::Progress& progress = *status.mutable_progress();
  progress.set_phase(v1::PHASE_TRAINING);
  progress.set_step(1435);
  progress.set_epoch(2);
  progress.set_batch(310);
  progress.set_batches(1125);
  progress.set_loss(0.44);
  progress.set_examples_per_second(1204.4);
  progress.set_tokens_per_second(21530.2);
  progress.set_trained_seconds(134.2);
  progress.set_seconds_left(185.4);
  status.set_device("cpu");
  status.set_device_name("Intel Xeon, 2 threads");
  status.set_device_reason("no CUDA device was found");
  status.set_loss(0.431);
  status.set_accuracy(0.861);
  status.set_loss_known(true);
  status.set_learning_rate(0.001);
  status.set_trained_seconds(134.2);
  status.set_seconds_left(185.4);
  status.set_finish_micros(kNow + 185400000);
  *status.mutable_checkpoint() = checkpoint(1400, 2, false);
  *status.mutable_best_checkpoint() = checkpoint(1125, 1, true);
  status.set_digest("a1b2c3d4e5f60718");
  status.set_worker_log("/var/lib/traind/runs/spelling/worker.log");
  status.set_mails_waiting(2);
  status.set_mails_dead(1);
  status.set_mail_error("550 no such user");
  status.set_now_micros(kNow);
  status.set_parameters(1234567);
  status.set_train_examples(72000);
  status.set_valid_examples(2000);
  status.set_last_sequence(9);
  status.set_config("[model]\nhidden = 192\n");
  status.set_run_folder("/var/lib/traind/runs/spelling");
  *status.add_changes() = changed_event(0).setting_changed();
  return status;
}

v1::GetStatusResponse language_model_status() {
  v1::GetStatusResponse status = running_status();
  status.mutable_run()->mutable_scores()->Clear();
  status.mutable_run()->set_measure(v1::MEASURE_LOSS);
  return status;
}

v1::GetStatusResponse gpu_status() {
  v1::GetStatusResponse status = running_status();
  status.set_device("cuda");
  status.set_device_name("NVIDIA H200");
  status.set_device_reason("auto: a CUDA device was found");
  v1::GpuGauges& gpu = *status.mutable_progress()->mutable_gpu();
  gpu.set_utilisation(0.87);
  gpu.set_memory_bytes(31.2e9);
  gpu.set_memory_total_bytes(150.7e9);
  gpu.set_celsius(61);
  gpu.set_watts(412.5);
  return status;
}

v1::GetStatusResponse queued_status() {
  v1::GetStatusResponse status;
  v1::Run& run = *status.mutable_run();
  run.set_id("01JD7R0000000000000000000C");
  run.set_name("second-try");
  run.set_state(v1::RUN_STATE_QUEUED);
  run.set_reason("waits for spelling");
  run.set_created_micros(kNow - 5 * kSecond);
  run.set_epochs(3);
  status.set_seconds_left(-1);
  status.set_now_micros(kNow);
  return status;
}

v1::GetStatusResponse failed_status() {
  v1::GetStatusResponse status;
  *status.mutable_run() = failed_run();
  status.set_seconds_left(-1);
  status.set_trained_seconds(3580);
  status.set_worker_log("/var/lib/traind/runs/words/worker.log");
  status.set_now_micros(kNow);
  return status;
}

v1::GetStatusResponse completed_status() {
  v1::GetStatusResponse status = running_status();
  v1::Run& run = *status.mutable_run();
  run.set_state(v1::RUN_STATE_COMPLETED);
  run.set_reason("early stop: no better exact match for 2 epochs");
  run.set_end_reason(v1::END_REASON_EARLY_STOP);
  run.set_epoch(3);
  run.set_step(3375);
  run.set_finished_micros(kNow);
  status.mutable_progress()->set_epoch(3);
  status.mutable_progress()->set_batch(1125);
  status.set_seconds_left(0);
  status.set_mails_waiting(0);
  status.set_mails_dead(0);
  status.clear_mail_error();
  return status;
}

v1::ListMetricsResponse falling_loss(int rows) {
  v1::ListMetricsResponse reply;
  for (int i = 1; i <= rows; ++i) {
    v1::MetricRow& row = *reply.add_rows();
    const double along = static_cast<double>(i) / rows;
    row.set_step(25 * i);
    row.set_epoch(1 + 25 * (i - 1) / 1125);
    row.set_batch(1 + (25 * i - 1) % 1125);
    row.set_batches_per_epoch(1125);
    row.set_inputs(64 * row.batch());
    row.set_loss(3 * std::exp(-3 * along) + 0.05 * std::sin(40 * along));
    row.set_accuracy(1 - std::exp(-2 * along));
    row.set_valid_loss(3 * std::exp(-2.5 * along) + 0.1);
    row.set_gradient_norm(0.75);
    row.set_rate(0.001);
    row.set_examples_per_second(1200.5);
    row.set_tokens_per_second(21000.25);
    row.set_trained_seconds(2.5 * i);
  }
  return reply;
}

v1::ListCheckpointsResponse two_checkpoints() {
  v1::ListCheckpointsResponse reply;
  *reply.add_checkpoints() = checkpoint(1400, 2, false);
  *reply.add_checkpoints() = checkpoint(1125, 1, true);
  return reply;
}

v1::VerifyResult same_result() {
  v1::VerifyResult result;
  result.set_verdict(v1::VERDICT_SAME);
  result.set_from("checkpoint-000000001125.safetensors");
  result.set_to("checkpoint-000000001400.safetensors");
  result.set_from_step(1125);
  result.set_to_step(1400);
  result.set_digest("a1b2c3d4e5f60718");
  result.set_trained_digest("a1b2c3d4e5f60718");
  result.set_optimizer_digest("0f1e2d3c4b5a6978");
  result.set_trained_optimizer_digest("0f1e2d3c4b5a6978");
  result.set_device("cpu");
  result.set_device_name("Intel Xeon, 2 threads");
  result.set_equal_bits(true);
  result.set_seconds(21.4);
  return result;
}

v1::VerifyResult different_result() {
  v1::VerifyResult result = same_result();
  result.set_verdict(v1::VERDICT_DIFFERENT);
  result.set_trained_digest("fedcba9876543210");
  result.set_distance(0.000123);
  result.add_differences("weights: 1 of 14 tensors differ, encoder.embedding.weight first");
  result.add_notes("train.learning_rate was changed from 0.001 to 0.0005 between the two");
  return result;
}

v1::VerifyProgress verify_progress(std::int64_t step) {
  v1::VerifyProgress progress;
  progress.set_phase(v1::PHASE_TRAINING);
  progress.set_from("checkpoint-000000001125.safetensors");
  progress.set_to("checkpoint-000000001400.safetensors");
  progress.set_from_step(1125);
  progress.set_to_step(1400);
  progress.set_step(step);
  progress.set_seconds_left(12.3);
  return progress;
}

v1::ListMailsResponse four_mails() {
  v1::ListMailsResponse reply;
  const auto add = [&reply](std::int64_t id, const char* kind, const char* state) -> v1::Mail& {
    v1::Mail& mail = *reply.add_mails();
    mail.set_id(id);
    mail.set_run("spelling");
    mail.set_kind(kind);
    mail.set_recipient("ada@example.org");
    mail.set_subject("[traind] spelling: " + std::string(kind));
    mail.set_state(state);
    mail.set_attempts(1);
    mail.set_created_micros(kNow - 60 * kSecond);
    return mail;
  };
  add(12, "epoch", "waiting").set_next_attempt_micros(kNow + 60 * kSecond);
  add(11, "start", "sent").set_sent_micros(kNow - 59 * kSecond);
  v1::Mail& dead = add(10, "test", "dead");
  dead.clear_run();
  dead.set_last_error("550 no such user");
  add(9, "epoch", "folded").set_folded_into(12);
  return reply;
}

std::vector<v1::WatchRunResponse> history() {
  const v1::ListMetricsResponse metrics = falling_loss(4);
  std::vector<v1::WatchRunResponse> events = {
      state_event(1, v1::RUN_STATE_QUEUED, "waits for its turn"),
      state_event(2, v1::RUN_STATE_STARTING, "the worker is loading the corpus"),
      started_event(3),
      metric_event(4, metrics.rows(0)),
      metric_event(5, metrics.rows(1)),
      epoch_event(6),
      checkpoint_event(7),
      metric_event(8, metrics.rows(2)),
      event(9)};
  events.back().mutable_notice()->set_kind("corrupt");
  events.back().mutable_notice()->set_text("step-1100.safetensors is damaged and was passed over");
  return events;
}

v1::WatchRunResponse progress_event(std::int64_t batch) {
  v1::WatchRunResponse result = event(0);
  *result.mutable_progress() = running_status().progress();
  result.mutable_progress()->set_batch(batch);
  result.set_time_micros(kNow);
  return result;
}

v1::WatchRunResponse changed_event(std::int64_t sequence) {
  v1::WatchRunResponse result = event(sequence);
  v1::SettingChanged& change = *result.mutable_setting_changed();
  change.set_key("train.learning_rate");
  change.set_was("0.001");
  change.set_is("0.0005");
  change.set_step(1200);
  change.set_epoch(2);
  return result;
}

v1::WatchRunResponse state_event(std::int64_t sequence, v1::RunState state,
                                 const std::string& reason) {
  v1::WatchRunResponse result = event(sequence);
  result.mutable_state_change()->set_state(state);
  result.mutable_state_change()->set_reason(reason);
  return result;
}

}  // namespace traind::test
