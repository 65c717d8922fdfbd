#include "client/json_of.h"

#include <cmath>

#include "client/figures.h"
#include "client/render_verify.h"
#include "client/terminal_text.h"

namespace traind {

namespace {

Json time_or_null(std::int64_t micros) {
  return micros == 0 ? Json(nullptr) : Json(rfc3339(micros));
}

Json text_or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

// Of an enumeration whose first value says that there is none.
template <class Choice>
Json name_or_null(Choice choice) {
  return static_cast<int>(choice) == 0 ? Json(nullptr) : Json(name_of(choice));
}

// JSON knows no NaN and no infinity.
Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json seconds_left(double seconds) { return seconds < 0 ? Json(nullptr) : number(seconds); }

// The same names in progress and in rows; null without a GPU.
void add_gauges(bool known, const v1::GpuGauges& gpu, Json& json) {
  const auto gauge = [known](double value) { return known ? number(value) : Json(nullptr); };
  json["gpu_utilisation"] = gauge(gpu.utilisation());
  json["gpu_memory_bytes"] = gauge(gpu.memory_bytes());
  json["gpu_memory_total_bytes"] = gauge(gpu.memory_total_bytes());
  json["gpu_celsius"] = gauge(gpu.celsius());
  json["gpu_watts"] = gauge(gpu.watts());
}

Json json_of(const v1::Progress& progress) {
  Json json = {{"phase", name_of(progress.phase())},
               {"step", progress.step()},
               {"epoch", progress.epoch()},
               {"batch", progress.batch()},
               {"batches", progress.batches()},
               {"loss", number(progress.loss())},
               {"examples_per_second", number(progress.examples_per_second())},
               {"tokens_per_second", number(progress.tokens_per_second())},
               {"trained_seconds", number(progress.trained_seconds())},
               {"seconds_left", seconds_left(progress.seconds_left())}};
  add_gauges(progress.has_gpu(), progress.gpu(), json);
  return json;
}

Json json_of(const v1::RunStarted& started) {
  return {
      {"device", started.device()},
      {"device_name", started.device_name()},
      {"device_reason", started.device_reason()},
      {"parameters", started.parameters()},
      {"train_examples", started.train_examples()},
      {"valid_examples", started.valid_examples()},
      {"skipped_lines", started.skipped_lines()},
      {"source_vocabulary", started.source_vocabulary()},
      {"target_vocabulary", started.target_vocabulary()},
      {"batches_per_epoch", started.batches_per_epoch()},
      {"epochs", started.epochs()},
      {"resumed_step", started.resumed_step() < 0 ? Json(nullptr) : Json(started.resumed_step())},
      {"resumed_from", text_or_null(started.resumed_from())},
      {"corpus_fingerprint", started.corpus_fingerprint()},
      {"config", started.config()},
      {"started_from", text_or_null(started.started_from())}};
}

Json json_of(const v1::CheckpointSaved& saved) {
  return {{"file", saved.file()},
          {"step", saved.step()},
          {"epoch", saved.epoch()},
          {"reason", name_of(saved.reason())},
          {"bytes", saved.bytes()},
          {"digest", saved.digest()},
          {"best", saved.best()},
          {"stall_seconds", number(saved.stall_seconds())},
          {"write_seconds", number(saved.write_seconds())}};
}

Json samples_of(const v1::EpochDone& done) {
  Json samples = Json::array();
  for (const v1::Sample& sample : done.samples()) {
    samples.push_back(
        {{"source", sample.source()}, {"target", sample.target()}, {"output", sample.output()}});
  }
  return samples;
}

}  // namespace

Json json_of(const v1::Scores& scores) {
  // Nothing was answered: no share of it is known.
  const auto of_answers = [&scores](double value) {
    return has_answers(scores) ? number(value) : Json(nullptr);
  };
  return {{"examples", scores.examples()},
          {"exact", of_answers(scores.exact())},
          {"character_accuracy", of_answers(scores.character_accuracy())},
          {"corrupted", scores.corrupted()},
          {"correction", scores.corrupted() > 0 ? of_answers(scores.correction()) : Json(nullptr)},
          {"copy_exact", of_answers(scores.copy_exact())},
          {"copy_character_accuracy", of_answers(scores.copy_character_accuracy())},
          {"character_error_rate", of_answers(scores.character_error_rate())},
          {"word_error_rate", of_answers(scores.word_error_rate())},
          {"bleu", has_bleu(scores) ? of_answers(scores.bleu()) : Json(nullptr)},
          {"bleu_signature", text_or_null(scores.bleu_signature())}};
}

Json json_of(const v1::Run& run) {
  return {
      {"id", run.id()},
      {"name", run.name()},
      {"state", name_of(run.state())},
      {"reason", run.reason()},
      {"created", time_or_null(run.created_micros())},
      {"started", time_or_null(run.started_micros())},
      {"finished", time_or_null(run.finished_micros())},
      {"epoch", run.epoch()},
      {"epochs", run.epochs()},
      {"step", run.step()},
      {"valid_loss", run.valid_loss_known() ? number(run.valid_loss()) : Json(nullptr)},
      {"scores", run.has_scores() ? json_of(run.scores()) : Json(nullptr)},
      {"restarts", run.restarts()},
      {"perplexity", run.valid_loss_known() ? number(std::exp(run.valid_loss())) : Json(nullptr)},
      {"measure", name_or_null(run.measure())},
      {"started_from", text_or_null(run.started_from())},
      {"end_reason", name_or_null(run.end_reason())}};
}

Json json_of(const v1::Checkpoint& checkpoint) {
  return {{"file", checkpoint.file()},   {"step", checkpoint.step()},
          {"epoch", checkpoint.epoch()}, {"reason", name_of(checkpoint.reason())},
          {"bytes", checkpoint.bytes()}, {"digest", checkpoint.digest()},
          {"best", checkpoint.best()},   {"saved", time_or_null(checkpoint.saved_micros())}};
}

Json json_of(const v1::MetricRow& row) {
  Json json = {{"step", row.step()},
               {"epoch", row.epoch()},
               {"batch", row.batch()},
               {"batches_per_epoch", row.batches_per_epoch()},
               {"inputs", row.inputs()},
               {"loss", number(row.loss())},
               {"accuracy", number(row.accuracy())},
               {"valid_loss", number(row.valid_loss())},
               {"gradient_norm", number(row.gradient_norm())},
               {"learning_rate", number(row.rate())},
               {"examples_per_second", number(row.examples_per_second())},
               {"tokens_per_second", number(row.tokens_per_second())},
               {"trained_seconds", number(row.trained_seconds())}};
  add_gauges(row.has_gpu(), row.gpu(), json);
  return json;
}

Json json_of(const v1::EpochDone& done) {
  return {{"epoch", done.epoch()},
          {"epochs", done.epochs()},
          {"step", done.step()},
          {"train_loss", number(done.train_loss())},
          {"valid_loss", number(done.valid_loss())},
          {"scores", done.has_scores() ? json_of(done.scores()) : Json(nullptr)},
          {"samples", samples_of(done)},
          {"best", done.best()},
          {"learning_rate", number(done.rate())},
          {"digest", done.digest()},
          {"epoch_seconds", number(done.epoch_seconds())},
          {"trained_seconds", number(done.trained_seconds())},
          {"examples_per_second", number(done.examples_per_second())},
          {"tokens_per_second", number(done.tokens_per_second())},
          {"perplexity", number(std::exp(done.valid_loss()))},
          {"measure", name_or_null(done.measure())}};
}

Json json_of(const v1::SettingChanged& change) {
  return {{"key", change.key()},
          {"was", change.was()},
          {"is", change.is()},
          {"step", change.step()},
          {"epoch", change.epoch()}};
}

Json json_of(const v1::TranslateAnswer& answer) {
  return {{"output", answer.text()},
          {"score", number(answer.score())},
          {"log_probability", number(answer.log_probability())},
          {"ended", answer.ended()}};
}

Json json_of(const v1::Mail& mail) {
  return {{"id", mail.id()},
          {"run", text_or_null(mail.run())},
          {"kind", mail.kind()},
          {"recipient", mail.recipient()},
          {"subject", mail.subject()},
          {"state", mail.state()},
          {"attempts", mail.attempts()},
          {"last_error", text_or_null(mail.last_error())},
          {"created", time_or_null(mail.created_micros())},
          {"sent", time_or_null(mail.sent_micros())},
          {"next_attempt", time_or_null(mail.next_attempt_micros())},
          {"folded_into", mail.folded_into() == 0 ? Json(nullptr) : Json(mail.folded_into())}};
}

Json json_of(const v1::GetStatusResponse& status) {
  const bool known = status.loss_known();
  return {{"run", json_of(status.run())},
          {"progress", status.has_progress() ? json_of(status.progress()) : Json(nullptr)},
          {"device", text_or_null(status.device())},
          {"device_name", text_or_null(status.device_name())},
          {"device_reason", text_or_null(status.device_reason())},
          {"loss", known ? number(status.loss()) : Json(nullptr)},
          {"accuracy", known ? number(status.accuracy()) : Json(nullptr)},
          {"learning_rate", number(status.learning_rate())},
          {"trained_seconds", number(status.trained_seconds())},
          {"seconds_left", seconds_left(status.seconds_left())},
          {"finish", time_or_null(status.finish_micros())},
          {"checkpoint", status.has_checkpoint() ? json_of(status.checkpoint()) : Json(nullptr)},
          {"best_checkpoint",
           status.has_best_checkpoint() ? json_of(status.best_checkpoint()) : Json(nullptr)},
          {"digest", text_or_null(status.digest())},
          {"parameters", status.parameters()},
          {"train_examples", status.train_examples()},
          {"valid_examples", status.valid_examples()},
          {"mails_waiting", status.mails_waiting()},
          {"mails_dead", status.mails_dead()},
          {"mail_error", text_or_null(status.mail_error())},
          {"worker_log", text_or_null(status.worker_log())},
          {"run_folder", text_or_null(status.run_folder())},
          {"config", text_or_null(status.config())},
          {"last_sequence", status.last_sequence()},
          {"now", time_or_null(status.now_micros())},
          {"changes", json_list(status.changes())},
          {"troubles", status.troubles()}};
}

Json json_of(const v1::VerifyResult& result) {
  const auto texts = [](const auto& list) {
    Json json = Json::array();
    for (const std::string& text : list) json.push_back(text);
    return json;
  };
  return {{"verdict", name_of(result.verdict())},
          {"from", result.from()},
          {"from_step", result.from_step()},
          {"to", result.to()},
          {"to_step", result.to_step()},
          {"steps", result.to_step() - result.from_step()},
          {"seconds", number(result.seconds())},
          {"digest", result.digest()},
          {"trained_digest", text_or_null(result.trained_digest())},
          {"optimizer_digest", result.optimizer_digest()},
          {"trained_optimizer_digest", text_or_null(result.trained_optimizer_digest())},
          {"distance", number(result.distance())},
          {"differences", texts(result.differences())},
          {"notes", texts(result.notes())},
          {"device", result.device()},
          {"device_name", result.device_name()},
          {"equal_bits", result.equal_bits()}};
}

Json json_of(const v1::StartRunResponse& reply) {
  Json notices = Json::array();
  for (const std::string& notice : reply.notices()) notices.push_back(notice);
  return {{"run", json_of(reply.run())},
          {"train_examples", reply.train_examples()},
          {"valid_examples", reply.valid_examples()},
          {"skipped_lines", reply.skipped_lines()},
          {"notices", notices}};
}

Json json_of(const v1::WatchRunResponse& event) {
  const auto told = [&event](const char* kind, const Json& what) -> Json {
    return {{"sequence", event.sequence()},
            {"time", rfc3339(event.time_micros())},
            {"event", kind},
            {kind, what}};
  };
  switch (event.event_case()) {
    case v1::WatchRunResponse::kStateChange:
      return told("state_change", {{"state", name_of(event.state_change().state())},
                                   {"reason", event.state_change().reason()}});
    case v1::WatchRunResponse::kRunStarted:
      return told("run_started", json_of(event.run_started()));
    case v1::WatchRunResponse::kMetricRow:
      return told("metric_row", json_of(event.metric_row()));
    case v1::WatchRunResponse::kEpochDone:
      return told("epoch_done", json_of(event.epoch_done()));
    case v1::WatchRunResponse::kCheckpointSaved:
      return told("checkpoint_saved", json_of(event.checkpoint_saved()));
    case v1::WatchRunResponse::kSettingChanged:
      return told("setting_changed", json_of(event.setting_changed()));
    case v1::WatchRunResponse::kNotice:
      return told("notice", {{"kind", event.notice().kind()}, {"text", event.notice().text()}});
    case v1::WatchRunResponse::kProgress:
    case v1::WatchRunResponse::kHeartbeat:
    case v1::WatchRunResponse::EVENT_NOT_SET:
      return nullptr;
  }
  return nullptr;
}

std::string json_text(const Json& json) {
  return neutral_json(json.dump(2, ' ', false, Json::error_handler_t::replace)) + "\n";
}

std::string json_line(const Json& json) {
  return neutral_json(json.dump(-1, ' ', false, Json::error_handler_t::replace)) + "\n";
}

}  // namespace traind
