// What a live `watch` knows and shows: a status kept up to date by events, the loss so far, the
// last events, and whether the daemon is there.
//
// One thread's. frame() is a pure function of what was told before and of the look.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "client/look.h"
#include "client/plot.h"
#include "traind/v1/training.pb.h"

namespace traind {

class WatchView {
 public:
  explicit WatchView(const v1::GetStatusResponse& status, std::string where);

  void apply(const v1::WatchRunResponse& event);
  void set_status(const v1::GetStatusResponse& status);
  void set_lost(const std::string& sentence) { lost_ = sentence; }

  const v1::GetStatusResponse& status() const noexcept { return status_; }

  // At most size.rows lines without newlines, none wider than size.columns.
  std::vector<std::string> frame(PlotSize size, const Look& look) const;

 private:
  void update(const v1::WatchRunResponse& event);
  std::vector<std::string> header(int columns, const Look& look) const;

  v1::GetStatusResponse status_;
  const std::string where_;
  std::string lost_;                        // empty while connected
  std::map<std::int64_t, Point> training_;  // by step: a replayed row takes its old place
  std::map<std::int64_t, Point> validation_;
  std::deque<v1::WatchRunResponse> events_;  // the last ones worth a line, newest last
};

}  // namespace traind
