#include "daemon/service.h"

#include <utility>

#include "daemon/event_rows.h"
#include "daemon/feeds.h"
#include "daemon/rpc_error.h"
#include "daemon/streams.h"
#include "daemon/translator.h"
#include "daemon/worker_log.h"
#include "model/base/clock.h"

namespace traind {
namespace {

template <typename Work>
grpc::Status status_of(const Work& work) {
  try {
    work();
    return grpc::Status::OK;
  } catch (const Error& error) {
    return rpc_status(error);
  } catch (const std::exception& error) {
    return rpc_status(Error(ErrorKind::kInternal, error.what()));
  }
}

template <typename Work>
grpc::ServerUnaryReactor* answer(grpc::CallbackServerContext* context, const Work& work) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(status_of(work));
  return reactor;
}

// For what takes longer than a thread of gRPC's may be kept.
template <typename Work>
grpc::ServerUnaryReactor* answer_later(grpc::CallbackServerContext* context, Jobs& jobs,
                                       Work work) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const bool taken = jobs.submit([reactor, work = std::move(work)](const std::stop_token& stop) {
    reactor->Finish(status_of([&] { work(stop); }));
  });
  if (!taken) {
    reactor->Finish({grpc::StatusCode::RESOURCE_EXHAUSTED,
                     "too many requests of this kind wait already: try again later"});
  }
  return reactor;
}

template <typename Response>
grpc::ServerWriteReactor<Response>* refused(const grpc::Status& status) {
  return new RefusedStream<Response>(status);
}

template <typename Response>
grpc::ServerWriteReactor<Response>* pumped(StreamPump& pump,
                                           typename PumpedStream<Response>::Next next) {
  return new PumpedStream<Response>(pump, std::move(next));
}

// What `make` returns, or a stream that says why there is none.
template <typename Response, typename Make>
grpc::ServerWriteReactor<Response>* stream(const Make& make) {
  grpc::ServerWriteReactor<Response>* reactor = nullptr;
  const grpc::Status status = status_of([&] { reactor = make(); });
  return reactor != nullptr ? reactor : refused<Response>(status);
}

ResumeWish resume_wish_of(const v1::ResumeRunRequest& request) {
  ResumeWish wish;
  wish.accept_changed_data = request.accept_changed_data();
  if (request.has_learning_rate()) wish.settings.learning_rate = request.learning_rate();
  if (request.has_epochs()) wish.settings.epochs = request.epochs();
  if (request.has_batch_size()) wish.settings.batch_size = request.batch_size();
  return wish;
}

}  // namespace

TrainingService::TrainingService(const Parts& parts)
    : parts_(parts),
      sources_{parts.config, parts.store, parts.board},
      status_(sources_),
      starter_(parts.config, parts.store, parts.supervisor),
      pages_(parts.store),
      started_micros_(unix_micros()) {}

RunRow TrainingService::run_of(const std::string& name) const {
  return parts_.store.read([&](Database& db) { return find_run(db, name); });
}

template <typename Request, typename Response>
grpc::ServerUnaryReactor* TrainingService::answer_by_reply(Context* context, const Request* request,
                                                           Response* response) const {
  return answer(context, [&] { reply(sources_, *request, *response); });
}

grpc::ServerUnaryReactor* TrainingService::StartRun(Context* context,
                                                    const v1::StartRunRequest* request,
                                                    v1::StartRunResponse* response) {
  return answer_later(context, parts_.checks, [=, this](const std::stop_token& stop) {
    const RunRow run = starter_.start(*request, *response, stop);
    *response->mutable_run() = run_reply(sources_, run);
  });
}

grpc::ServerUnaryReactor* TrainingService::StopRun(Context* context,
                                                   const v1::StopRunRequest* request,
                                                   v1::StopRunResponse* response) {
  return answer(context, [&] {
    const RunRow run = parts_.supervisor.stop_run(run_of(request->run()).run);
    *response->mutable_run() = run_reply(sources_, run);
  });
}

grpc::ServerUnaryReactor* TrainingService::ResumeRun(Context* context,
                                                     const v1::ResumeRunRequest* request,
                                                     v1::ResumeRunResponse* response) {
  return answer(context, [&] {
    const RunRow run =
        parts_.supervisor.resume_run(run_of(request->run()).run, resume_wish_of(*request));
    *response->mutable_run() = run_reply(sources_, run);
  });
}

grpc::ServerUnaryReactor* TrainingService::ListRuns(Context* context,
                                                    const v1::ListRunsRequest* request,
                                                    v1::ListRunsResponse* response) {
  return answer_by_reply(context, request, response);
}

grpc::ServerUnaryReactor* TrainingService::GetStatus(Context* context,
                                                     const v1::GetStatusRequest* request,
                                                     v1::GetStatusResponse* response) {
  return answer(context, [&] { status_.reply(*request, *response); });
}

grpc::ServerWriteReactor<v1::WatchRunResponse>* TrainingService::WatchRun(
    Context*, const v1::WatchRunRequest* request) {
  return stream<v1::WatchRunResponse>([&] {
    const RunRow run = run_of(request->run());
    const std::int64_t last =
        parts_.store.read([&](Database& db) { return last_sequence(db, run.run); });
    if (request->after_sequence() > last || request->after_sequence() < 0) {
      return refused<v1::WatchRunResponse>(
          {grpc::StatusCode::OUT_OF_RANGE,
           "after_sequence is " + std::to_string(request->after_sequence()) +
               ", but the run's last event has " + std::to_string(last) + ": begin again at 0"});
    }
    auto feed =
        std::make_shared<WatchFeed>(pages_, parts_.board, run.run, request->after_sequence());
    return pumped<v1::WatchRunResponse>(
        parts_.pump, [feed](v1::WatchRunResponse& out, StreamPump::Clock::time_point now) {
          return feed->next(out, now);
        });
  });
}

grpc::ServerUnaryReactor* TrainingService::ListMetrics(Context* context,
                                                       const v1::ListMetricsRequest* request,
                                                       v1::ListMetricsResponse* response) {
  return answer_by_reply(context, request, response);
}

grpc::ServerUnaryReactor* TrainingService::ListEpochs(Context* context,
                                                      const v1::ListEpochsRequest* request,
                                                      v1::ListEpochsResponse* response) {
  return answer_by_reply(context, request, response);
}

grpc::ServerWriteReactor<v1::StreamLogsResponse>* TrainingService::StreamLogs(
    Context*, const v1::StreamLogsRequest* request) {
  return stream<v1::StreamLogsResponse>([&] {
    const RunRow run = run_of(request->run());
    const std::string path = parts_.config.run_folder(run.id) + "/worker.log";
    const auto lines = static_cast<std::size_t>(std::max(0, request->tail_lines()));
    auto feed = std::make_shared<LogFeed>(pages_, run.run, path, offset_of_last_lines(path, lines),
                                          request->follow());
    return pumped<v1::StreamLogsResponse>(
        parts_.pump, [feed](v1::StreamLogsResponse& out, StreamPump::Clock::time_point now) {
          return feed->next(out, now);
        });
  });
}

grpc::ServerUnaryReactor* TrainingService::ListCheckpoints(
    Context* context, const v1::ListCheckpointsRequest* request,
    v1::ListCheckpointsResponse* response) {
  return answer_by_reply(context, request, response);
}

grpc::ServerUnaryReactor* TrainingService::SaveCheckpoint(Context* context,
                                                          const v1::SaveCheckpointRequest* request,
                                                          v1::SaveCheckpointResponse*) {
  return answer(context, [&] { parts_.supervisor.save_checkpoint(run_of(request->run()).run); });
}

grpc::ServerUnaryReactor* TrainingService::Translate(Context* context,
                                                     const v1::TranslateRequest* request,
                                                     v1::TranslateResponse* response) {
  return answer_later(context, parts_.translators, [=, this](const std::stop_token& stop) {
    translate(parts_.config, run_of(request->run()), *request, *response, stop);
  });
}

grpc::ServerWriteReactor<v1::VerifyRunResponse>* TrainingService::VerifyRun(
    Context*, const v1::VerifyRunRequest* request) {
  return stream<v1::VerifyRunResponse>([&] {
    const RunRow run = run_of(request->run());
    v1::VerifyStarted started;
    *started.mutable_run() = run_reply(sources_, run);
    const auto waiting = parts_.store.read([](Database& db) { return unfinished_runs(db); });
    if (!waiting.empty() && waiting.front().state != RunState::kQueued) {
      started.set_beside(waiting.front().name);
    }
    return pumped<v1::VerifyRunResponse>(
        parts_.pump, [feed = parts_.verifier.begin(run, started)](
                         v1::VerifyRunResponse& out, StreamPump::Clock::time_point now) {
          return feed->next(out, now);
        });
  });
}

grpc::ServerUnaryReactor* TrainingService::SendTestMail(Context* context,
                                                        const v1::SendTestMailRequest*,
                                                        v1::SendTestMailResponse* response) {
  return answer(context, [&] {
    const auto recipients =
        parts_.store.write([&](Database& db) { return parts_.desk.put_test(db, unix_micros()); });
    parts_.mailer.wake();
    for (const std::string& recipient : recipients) response->add_recipients(recipient);
    response->set_transport(parts_.mailer.transport());
  });
}

grpc::ServerUnaryReactor* TrainingService::ListMails(Context* context,
                                                     const v1::ListMailsRequest* request,
                                                     v1::ListMailsResponse* response) {
  return answer_by_reply(context, request, response);
}

grpc::ServerUnaryReactor* TrainingService::RetryMail(Context* context,
                                                     const v1::RetryMailRequest* request,
                                                     v1::RetryMailResponse* response) {
  return answer(context, [&] {
    const std::int64_t now = unix_micros();
    const int revived = parts_.store.write([&](Database& db) {
      if (request->id() != 0 && mail_state(db, request->id()).empty()) {
        throw Error(ErrorKind::kNotFound, "there is no mail " + std::to_string(request->id()) +
                                              ": `trainctl mail list` shows those there are");
      }
      return revive_mails(db, request->id(), now);
    });
    if (request->id() != 0 && revived == 0) {
      throw Error(ErrorKind::kState, "mail " + std::to_string(request->id()) +
                                         " is sent already, itself or as part of a digest");
    }
    parts_.mailer.wake();
    response->set_mails(revived);
  });
}

grpc::ServerUnaryReactor* TrainingService::GetVersion(Context* context,
                                                      const v1::GetVersionRequest*,
                                                      v1::GetVersionResponse* response) {
  return answer(context, [&] {
    response->set_version(TRAIND_VERSION);
    response->set_state_folder(parts_.config.state_folder);
    response->set_started_micros(started_micros_);
  });
}

}  // namespace traind
