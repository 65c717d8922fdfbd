// traind.v1.TrainingService: each call is translated, done by somebody else, and answered.
//
// gRPC's threads call it. Short calls are answered on the spot; what takes seconds goes to the
// jobs; streams go to the pump. Owns nothing; everything in Parts outlives it.
#pragma once

#include <string>

#include "daemon/config.h"
#include "daemon/event_pages.h"
#include "daemon/jobs.h"
#include "daemon/mail_desk.h"
#include "daemon/mailer.h"
#include "daemon/replies.h"
#include "daemon/run_starter.h"
#include "daemon/status_replies.h"
#include "daemon/stream_pump.h"
#include "daemon/supervisor.h"
#include "daemon/verifier.h"
#include "traind/v1/training.grpc.pb.h"

namespace traind {

class TrainingService final : public v1::TrainingService::CallbackService {
 public:
  struct Parts {
    const DaemonConfig& config;
    Store& store;
    const StatusBoard& board;
    const MailDesk& desk;
    Mailer& mailer;
    Supervisor& supervisor;
    StreamPump& pump;
    Jobs& checks;  // before a start
    Jobs& translators;
    Verifier& verifier;
  };
  explicit TrainingService(const Parts& parts);

  using Context = grpc::CallbackServerContext;
  using Unary = grpc::ServerUnaryReactor;

  Unary* StartRun(Context*, const v1::StartRunRequest*, v1::StartRunResponse*) override;
  Unary* StopRun(Context*, const v1::StopRunRequest*, v1::StopRunResponse*) override;
  Unary* ResumeRun(Context*, const v1::ResumeRunRequest*, v1::ResumeRunResponse*) override;
  Unary* ListRuns(Context*, const v1::ListRunsRequest*, v1::ListRunsResponse*) override;
  Unary* GetStatus(Context*, const v1::GetStatusRequest*, v1::GetStatusResponse*) override;
  grpc::ServerWriteReactor<v1::WatchRunResponse>* WatchRun(Context*,
                                                           const v1::WatchRunRequest*) override;
  Unary* ListMetrics(Context*, const v1::ListMetricsRequest*, v1::ListMetricsResponse*) override;
  Unary* ListEpochs(Context*, const v1::ListEpochsRequest*, v1::ListEpochsResponse*) override;
  grpc::ServerWriteReactor<v1::StreamLogsResponse>* StreamLogs(
      Context*, const v1::StreamLogsRequest*) override;
  Unary* ListCheckpoints(Context*, const v1::ListCheckpointsRequest*,
                         v1::ListCheckpointsResponse*) override;
  Unary* SaveCheckpoint(Context*, const v1::SaveCheckpointRequest*,
                        v1::SaveCheckpointResponse*) override;
  Unary* Translate(Context*, const v1::TranslateRequest*, v1::TranslateResponse*) override;
  grpc::ServerWriteReactor<v1::VerifyRunResponse>* VerifyRun(Context*,
                                                             const v1::VerifyRunRequest*) override;
  Unary* SendTestMail(Context*, const v1::SendTestMailRequest*, v1::SendTestMailResponse*) override;
  Unary* ListMails(Context*, const v1::ListMailsRequest*, v1::ListMailsResponse*) override;
  Unary* RetryMail(Context*, const v1::RetryMailRequest*, v1::RetryMailResponse*) override;
  Unary* GetVersion(Context*, const v1::GetVersionRequest*, v1::GetVersionResponse*) override;

 private:
  RunRow run_of(const std::string& name) const;
  template <typename Request, typename Response>
  Unary* answer_by_reply(Context* context, const Request* request, Response* response) const;

  const Parts parts_;
  const ReplySources sources_;
  const StatusReplies status_;
  const RunStarter starter_;
  EventPages pages_;  // the pump's thread's
  const std::int64_t started_micros_;
};

}  // namespace traind
