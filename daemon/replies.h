// Answers of the service, from the database and the status board to traind.v1 messages.
//
// Functions; safe on any thread; they wait for a read of the database. Throw what Store throws,
// and Error(kNotFound) for a run that is not there.
#pragma once

#include "daemon/config.h"
#include "daemon/outbox.h"
#include "daemon/run_rows.h"
#include "daemon/status_board.h"
#include "daemon/store.h"
#include "daemon/training_rows.h"
#include "traind/v1/training.pb.h"

namespace traind {

// What answers are made of; outlives them.
struct ReplySources {
  const DaemonConfig& config;
  const Store& store;
  const StatusBoard& board;
};

// A run as the database has it, and what its worker has told since.
v1::Run stored_run(Database& db, const RunRow& run);
void add_progress(const std::optional<BoardEntry>& entry, v1::Run& run);
v1::Run run_reply(const ReplySources& from, const RunRow& run);
v1::Checkpoint checkpoint_reply(const CheckpointRow& row);
v1::Mail mail_reply(const OutboxRow& mail);

void reply(const ReplySources& from, const v1::ListRunsRequest& request,
           v1::ListRunsResponse& response);
void reply(const ReplySources& from, const v1::ListMetricsRequest& request,
           v1::ListMetricsResponse& response);
void reply(const ReplySources& from, const v1::ListEpochsRequest& request,
           v1::ListEpochsResponse& response);
void reply(const ReplySources& from, const v1::ListCheckpointsRequest& request,
           v1::ListCheckpointsResponse& response);
void reply(const ReplySources& from, const v1::ListMailsRequest& request,
           v1::ListMailsResponse& response);

}  // namespace traind
