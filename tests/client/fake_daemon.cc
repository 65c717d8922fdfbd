#include "tests/client/fake_daemon.h"

#include <cstdlib>
#include <filesystem>

#include "tests/client/replies.h"

namespace traind::test {

namespace {

using grpc::ServerContext;
using grpc::Status;

bool ended(v1::RunState state) {
  return state == v1::RUN_STATE_STOPPED || state == v1::RUN_STATE_FAILED ||
         state == v1::RUN_STATE_COMPLETED;
}

}  // namespace

class FakeDaemon::Service : public v1::TrainingService::Service {
 public:
  explicit Service(Canned& canned) : canned_(canned) {}

  Status StartRun(ServerContext*, const v1::StartRunRequest* request,
                  v1::StartRunResponse* reply) override {
    return answer([&] {
      canned_.started = *request;
      *reply->mutable_run() = canned_.status.run();
      reply->set_train_examples(72000);
      reply->set_valid_examples(2000);
      reply->set_skipped_lines(3);
      reply->add_notices("3 lines without a tab were skipped");
    });
  }
  Status StopRun(ServerContext*, const v1::StopRunRequest*, v1::StopRunResponse* reply) override {
    return answer([&] { *reply->mutable_run() = canned_.status.run(); });
  }
  Status ResumeRun(ServerContext*, const v1::ResumeRunRequest* request,
                   v1::ResumeRunResponse* reply) override {
    return answer([&] {
      canned_.resumed = *request;
      *reply->mutable_run() = canned_.status.run();
    });
  }
  Status ListRuns(ServerContext*, const v1::ListRunsRequest* request,
                  v1::ListRunsResponse* reply) override {
    return answer([&] {
      std::size_t at = request->page_token().empty() ? 0 : std::stoul(request->page_token());
      for (int i = 0; i < 2 && at < canned_.runs.size(); ++i)
        *reply->add_runs() = canned_.runs[at++];
      if (at < canned_.runs.size()) reply->set_next_page_token(std::to_string(at));
    });
  }
  Status GetStatus(ServerContext*, const v1::GetStatusRequest*,
                   v1::GetStatusResponse* reply) override {
    return answer([&] { *reply = canned_.status; });
  }
  Status WatchRun(ServerContext* context, const v1::WatchRunRequest* request,
                  grpc::ServerWriter<v1::WatchRunResponse>* writer) override;
  Status ListMetrics(ServerContext*, const v1::ListMetricsRequest* request,
                     v1::ListMetricsResponse* reply) override {
    return answer([&] {
      ++canned_.metrics_calls;
      for (const v1::MetricRow& row : canned_.metrics.rows()) {
        if (row.step() <= request->after_step()) continue;
        if (static_cast<std::size_t>(reply->rows_size()) == canned_.metrics_page) {
          reply->set_more(true);
          break;
        }
        *reply->add_rows() = row;
      }
    });
  }
  Status StreamLogs(ServerContext*, const v1::StreamLogsRequest*,
                    grpc::ServerWriter<v1::StreamLogsResponse>* writer) override {
    return answer([&] {
      for (const std::string& piece : canned_.log_pieces) {
        v1::StreamLogsResponse response;
        response.set_text(piece);
        writer->Write(response);
      }
    });
  }
  Status ListCheckpoints(ServerContext*, const v1::ListCheckpointsRequest*,
                         v1::ListCheckpointsResponse* reply) override {
    return answer([&] { *reply = two_checkpoints(); });
  }
  Status SaveCheckpoint(ServerContext*, const v1::SaveCheckpointRequest*,
                        v1::SaveCheckpointResponse*) override {
    return answer([] {});
  }
  Status Translate(ServerContext*, const v1::TranslateRequest* request,
                   v1::TranslateResponse* reply) override {
    return answer([&] {
      canned_.translated_lines.push_back(request->lines_size());
      for (const std::string& line : request->lines()) {
        reply->add_lines("<" + line + ">" + canned_.translate_suffix);
        v1::TranslateLine& answers = *reply->add_results();
        for (int i = 0; i < std::max(1, request->n_best()); ++i) {
          v1::TranslateAnswer& answer = *answers.add_answers();
          answer.set_text(i == 0 ? *reply->lines().rbegin() : line + std::to_string(i));
          answer.set_score(-0.25 - i);
          answer.set_log_probability(-2.5 - i);
          answer.set_ended(true);
        }
      }
      canned_.translated = *request;
      reply->set_checkpoint(request->best() ? "best.safetensors" : "newest.safetensors");
    });
  }
  Status VerifyRun(ServerContext*, const v1::VerifyRunRequest* request,
                   grpc::ServerWriter<v1::VerifyRunResponse>* writer) override {
    Status end;
    const Status status = answer([&] {
      canned_.verified = *request;
      for (const v1::VerifyRunResponse& told : canned_.verification) writer->Write(told);
      end = canned_.verification_end;
    });
    return status.ok() ? end : status;
  }
  Status SendTestMail(ServerContext*, const v1::SendTestMailRequest*,
                      v1::SendTestMailResponse* reply) override {
    return answer([&] {
      reply->add_recipients("ada@example.org");
      reply->set_transport("smtp://mail.example.org:587");
    });
  }
  Status ListMails(ServerContext*, const v1::ListMailsRequest*,
                   v1::ListMailsResponse* reply) override {
    return answer([&] { *reply = four_mails(); });
  }
  Status RetryMail(ServerContext*, const v1::RetryMailRequest* request,
                   v1::RetryMailResponse* reply) override {
    return answer([&] { reply->set_mails(request->id() == 0 ? 3 : 1); });
  }
  Status GetVersion(ServerContext*, const v1::GetVersionRequest*,
                    v1::GetVersionResponse* reply) override {
    return answer([&] {
      reply->set_version("9.8.7");
      reply->set_state_folder("/var/lib/traind");
      reply->set_started_micros(kNow);
    });
  }

 private:
  template <class Fill>
  Status answer(Fill fill) {
    const std::lock_guard lock(canned_.mutex);
    if (!canned_.refusal.ok()) return canned_.refusal;
    fill();
    return Status::OK;
  }

  Canned& canned_;
};

Status FakeDaemon::Service::WatchRun(ServerContext* context, const v1::WatchRunRequest* request,
                                     grpc::ServerWriter<v1::WatchRunResponse>* writer) {
  std::unique_lock lock(canned_.mutex);
  if (!canned_.refusal.ok()) return canned_.refusal;
  canned_.watched_after.push_back(request->after_sequence());
  canned_.changed.notify_all();
  // Progress (0) has no place in the history and is told only to those who are there.
  std::size_t at = 0;
  while (at < canned_.events.size() && canned_.events[at].sequence() <= request->after_sequence()) {
    ++at;
  }
  while (!context->IsCancelled()) {
    if (at < canned_.events.size()) {
      writer->Write(canned_.events[at++]);
    } else if (ended(canned_.status.run().state())) {
      return Status::OK;
    } else {
      // Cancellation has no condition of its own to wait on.
      canned_.changed.wait_for(lock, std::chrono::milliseconds(10));
    }
  }
  return Status::CANCELLED;
}

FakeDaemon::FakeDaemon() {
  std::string folder = (std::filesystem::temp_directory_path() / "trainctl-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) std::abort();
  folder_ = folder;
  socket_ = folder + "/traind.sock";
  service_ = std::make_unique<Service>(canned_);
  canned_.status = running_status();
  canned_.events = history();
  start();
}

FakeDaemon::~FakeDaemon() {
  stop();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void FakeDaemon::start() {
  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + socket_, grpc::InsecureServerCredentials());
  builder.RegisterService(service_.get());
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) std::abort();
}

void FakeDaemon::stop() {
  if (server_ == nullptr) return;
  server_->Shutdown(std::chrono::system_clock::now());
  server_.reset();
}

void FakeDaemon::tell(const v1::WatchRunResponse& event) {
  set([&](Canned& canned) {
    canned.events.push_back(event);
    if (event.sequence() != 0) canned.status.set_last_sequence(event.sequence());
  });
}

void FakeDaemon::change_state(v1::RunState state, const std::string& reason) {
  set([&](Canned& canned) {
    canned.status.mutable_run()->set_state(state);
    canned.status.mutable_run()->set_reason(reason);
    const std::int64_t sequence = canned.status.last_sequence() + 1;
    canned.status.set_last_sequence(sequence);
    canned.events.push_back(state_event(sequence, state, reason));
  });
}

}  // namespace traind::test
