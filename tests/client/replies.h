// Canned replies of a daemon in the middle of a run, for renders and for the fake daemon.
#pragma once

#include <vector>

#include "traind/v1/training.pb.h"

namespace traind::test {

// 2026-11-21 14:12:09.250 UTC.
inline constexpr std::int64_t kNow = 1795270329250000;

v1::Run running_run();
v1::Run failed_run();
v1::GetStatusResponse running_status();
v1::GetStatusResponse gpu_status();             // the same on a GPU, all gauges known
v1::GetStatusResponse language_model_status();  // it answers no lines
v1::GetStatusResponse queued_status();          // no worker has reported yet
v1::GetStatusResponse failed_status();
v1::GetStatusResponse completed_status();

// A falling loss over `rows` rows, one for every 25 steps.
v1::ListMetricsResponse falling_loss(int rows);
v1::ListCheckpointsResponse two_checkpoints();
v1::ListMailsResponse four_mails();
v1::VerifyResult same_result();       // a verification that came to the same
v1::VerifyResult different_result();  // one that did not, after a changed setting
v1::VerifyProgress verify_progress(std::int64_t step);

// Events 1 to 9 of a run: queued, started, metrics, an epoch, a checkpoint, a notice.
std::vector<v1::WatchRunResponse> history();
v1::WatchRunResponse progress_event(std::int64_t batch);
v1::WatchRunResponse changed_event(std::int64_t sequence);  // another learning rate
v1::WatchRunResponse state_event(std::int64_t sequence, v1::RunState state,
                                 const std::string& reason);

}  // namespace traind::test
