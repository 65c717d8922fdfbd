// Replies that are lists, as aligned tables: runs, checkpoints, metric rows, mails; and as CSV.
//
// Pure functions of the reply and the look; safe on any thread. Strings of the reply come out
// neutral. The first columns hold no blanks, whatever follows, so that awk can count on them.
#pragma once

#include <string>
#include <vector>

#include "client/look.h"
#include "traind/v1/training.pb.h"

namespace traind {

std::string render_runs(const std::vector<v1::Run>& runs, const Look& look);
std::string render_checkpoints(const v1::ListCheckpointsResponse& reply, const Look& look);
std::string render_mails(const v1::ListMailsResponse& reply, const Look& look);

// Metric rows have columns of fixed width, so that pages can be printed as they come.
std::string metrics_header(const Look& look);
std::string render_metrics(const v1::ListMetricsResponse& page);

// Named as in JSON, numbers with all their digits.
std::string metrics_csv_header();
std::string metrics_csv(const v1::ListMetricsResponse& page);

}  // namespace traind
