#include <functional>
#include <vector>

#include "client/figures.h"
#include "client/json_of.h"
#include "client/plot.h"
#include "client/render_lists.h"
#include "client/render_status.h"
#include "client/terminal_text.h"
#include "client/verbs.h"

namespace traind {

namespace {

constexpr int kRunsPage = 500;
constexpr int kMetricsPage = 5000;

std::vector<v1::Run> all_runs(Connection& connection) {
  std::vector<v1::Run> all;
  v1::ListRunsRequest request;
  request.set_page_size(kRunsPage);
  for (;;) {
    const auto page = connection.call(&Connection::Stub::ListRuns, request);
    all.insert(all.end(), page.runs().begin(), page.runs().end());
    if (page.next_page_token().empty()) return all;
    request.set_page_token(page.next_page_token());
  }
}

void each_metrics_page(Connection& connection, const std::string& run, std::int64_t after_step,
                       const std::function<void(const v1::ListMetricsResponse&)>& use) {
  v1::ListMetricsRequest request;
  request.set_run(run);
  request.set_after_step(after_step);
  request.set_page_size(kMetricsPage);
  for (;;) {
    const auto page = connection.call(&Connection::Stub::ListMetrics, request);
    use(page);
    if (!page.more() || page.rows().empty()) return;
    request.set_after_step(page.rows().rbegin()->step());
  }
}

v1::GetStatusResponse status_of(Connection& connection, const std::string& run) {
  v1::GetStatusRequest request;
  request.set_run(run);
  return connection.call(&Connection::Stub::GetStatus, request);
}

Json json_of_points(const std::vector<Point>& points) {
  Json list = Json::array();
  for (const Point& point : points) list.push_back({{"step", point.step}, {"loss", point.loss}});
  return list;
}

}  // namespace

Exit status(Session& session) {
  const auto reply = status_of(session.connection, session.options.run);
  if (session.options.json) {
    session.out.write(json_text(json_of(reply)));
  } else if (session.options.quiet) {
    session.out.write(name_of(reply.run().state()) + "\n");
  } else {
    session.out.write(render_status(reply, session.look));
  }
  const bool failed = reply.run().state() == v1::RUN_STATE_FAILED;
  return session.options.exit_code && failed ? Exit::kRunFailed : Exit::kOk;
}

Exit runs(Session& session) {
  const std::vector<v1::Run> all = all_runs(session.connection);
  if (session.options.json) {
    session.out.write(json_text({{"runs", json_list(all)}}));
  } else if (session.options.quiet) {
    for (const v1::Run& run : all) session.out.write(neutral(run.id()) + "\n");
  } else {
    session.out.write(render_runs(all, session.look));
  }
  return Exit::kOk;
}

Exit metrics(Session& session) {
  const Options& options = session.options;
  // One run, even if another becomes the active one while the pages come.
  const v1::Run run = status_of(session.connection, options.run).run();
  Json rows = Json::array();
  const bool table = !options.json && !options.jsonl && !options.csv;
  if (table && !options.quiet) session.out.write(metrics_header(session.look));
  if (options.csv) session.out.write(metrics_csv_header());
  each_metrics_page(session.connection, run.id(), options.after, [&](const auto& page) {
    if (options.csv) {
      session.out.write(metrics_csv(page));
    } else if (options.jsonl) {
      std::string lines;
      for (const v1::MetricRow& row : page.rows()) lines += json_line(json_of(row));
      session.out.write(lines);
    } else if (options.json) {
      for (const v1::MetricRow& row : page.rows()) rows.push_back(json_of(row));
    } else {
      session.out.write(render_metrics(page));
    }
  });
  if (options.json) {
    session.out.write(json_text({{"run", run.name()}, {"id", run.id()}, {"rows", rows}}));
  }
  return Exit::kOk;
}

Exit plot_losses(Session& session) {
  const v1::Run run = status_of(session.connection, session.options.run).run();
  Curves curves;
  each_metrics_page(session.connection, run.id(), 0, [&curves](const auto& page) {
    for (const v1::MetricRow& row : page.rows()) {
      curves.training.push_back({row.step(), row.loss()});
      if (row.valid_loss() > 0) curves.validation.push_back({row.step(), row.valid_loss()});
    }
  });
  if (session.options.json) {
    session.out.write(json_text({{"run", run.name()},
                                 {"id", run.id()},
                                 {"training", json_of_points(curves.training)},
                                 {"validation", json_of_points(curves.validation)}}));
    return Exit::kOk;
  }
  std::string text = headline(run, session.look) + "\n";
  const PlotSize size{session.look.width, session.options.height};
  for (const std::string& line : plot(curves, size, session.options.scale, session.look)) {
    text += line + "\n";
  }
  session.out.write(text);
  return Exit::kOk;
}

Exit checkpoints(Session& session) {
  v1::ListCheckpointsRequest request;
  request.set_run(session.options.run);
  const auto reply = session.connection.call(&Connection::Stub::ListCheckpoints, request);
  if (session.options.json) {
    session.out.write(json_text({{"checkpoints", json_list(reply.checkpoints())}}));
  } else if (session.options.quiet) {
    for (const auto& checkpoint : reply.checkpoints()) {
      session.out.write(neutral(checkpoint.file()) + "\n");
    }
  } else {
    session.out.write(render_checkpoints(reply, session.look));
  }
  return Exit::kOk;
}

Exit version(Session& session) {
  // Our own version is known whether traind answers or not.
  if (!session.options.json) session.out.write("trainctl " TRAIND_VERSION "\n");
  const auto reply =
      session.connection.call(&Connection::Stub::GetVersion, v1::GetVersionRequest());
  if (session.options.json) {
    session.out.write(json_text({{"trainctl", TRAIND_VERSION},
                                 {"traind", reply.version()},
                                 {"address", session.connection.address().target},
                                 {"state_folder", reply.state_folder()},
                                 {"started", rfc3339(reply.started_micros())}}));
    return Exit::kOk;
  }
  session.out.write("traind   " + neutral(reply.version()) + " at " +
                    session.connection.address().target + ", started " +
                    age_text(reply.started_micros(), session.look) + ", state in " +
                    neutral(reply.state_folder()) + "\n");
  return Exit::kOk;
}

}  // namespace traind
