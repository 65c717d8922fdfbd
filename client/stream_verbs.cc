#include "client/event_line.h"
#include "client/figures.h"
#include "client/render_status.h"
#include "client/run_feed.h"
#include "client/terminal_text.h"
#include "client/verbs.h"

namespace traind {

namespace {

v1::GetStatusResponse status_of(Session& session, const std::string& run) {
  v1::GetStatusRequest request;
  request.set_run(run);
  return session.connection.call(&Connection::Stub::GetStatus, request);
}

RunFeed::Deadline deadline_in(double seconds) {
  if (seconds <= 0) return std::nullopt;
  return RunFeed::Clock::now() + std::chrono::duration_cast<RunFeed::Clock::duration>(
                                     std::chrono::duration<double>(seconds));
}

void say_lost(Session& session, const FeedLost& lost) {
  session.say("lost traind (" + lost.sentence + "); reconnecting");
}

Exit watch_piped(Session& session, const v1::GetStatusResponse& status) {
  RunFeed feed(session.connection, status.run().id(), session.options.after);
  for (;;) {
    const FeedItem item = feed.next();
    if (const auto* event = std::get_if<v1::WatchRunResponse>(&item)) {
      if (session.options.json) {
        const Json json = json_of(*event);
        if (!json.is_null()) session.out.write(json_line(json));
      } else {
        session.out.write(event_line(*event, session.look));
      }
    } else if (const auto* lost = std::get_if<FeedLost>(&item)) {
      say_lost(session, *lost);
    } else if (std::holds_alternative<FeedRegained>(item)) {
      session.say("traind is back");
    } else if (const auto* ended = std::get_if<FeedEnded>(&item)) {
      const bool failed = ended->status.run().state() == v1::RUN_STATE_FAILED;
      return failed ? Exit::kRunFailed : Exit::kOk;
    }
  }
}

// Text of the worker, cut into whole lines.
class LogPrinter {
 public:
  explicit LogPrinter(Session& session) : session_(session) {}

  void add(const std::string& text) {
    if (!session_.options.json) {
      session_.out.write(neutral(text, Lines::kMany));
      return;
    }
    std::string lines;
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      lines += json_line({{"line", neutral(text.substr(begin, end - begin), Lines::kMany)}});
      begin = end + 1;
    }
    session_.out.write(lines);
  }

 private:
  Session& session_;
};

}  // namespace

v1::GetStatusResponse ended_status(Session& session, const v1::GetStatusResponse& status,
                                   double seconds) {
  if (has_ended(status.run().state())) return status;
  RunFeed feed(session.connection, status.run().id(), status.last_sequence(), deadline_in(seconds));
  for (;;) {
    const FeedItem item = feed.next();
    if (const auto* ended = std::get_if<FeedEnded>(&item)) return ended->status;
    if (const auto* lost = std::get_if<FeedLost>(&item)) say_lost(session, *lost);
    if (std::holds_alternative<FeedRegained>(item)) session.say("traind is back");
  }
}

Exit watch(Session& session, const std::string& run) {
  const auto status = status_of(session, run);
  const bool live = session.look.terminal && !session.options.json;
  return live ? watch_live(session, status) : watch_piped(session, status);
}

Exit wait_for_end(Session& session) {
  const auto status = status_of(session, session.options.run);
  const v1::Run run = ended_status(session, status, session.options.wait_seconds).run();
  if (session.options.json) {
    session.out.write(json_text(json_of(run)));
  } else if (!session.options.quiet) {
    session.out.write(headline(run, session.look) + "\n");
  }
  return run.state() == v1::RUN_STATE_COMPLETED ? Exit::kOk : Exit::kRunFailed;
}

Exit logs(Session& session) {
  v1::StreamLogsRequest request;
  request.set_run(session.options.run);
  request.set_tail_lines(session.options.tail_lines);
  request.set_follow(session.options.follow);
  grpc::ClientContext context;
  const auto stream = session.connection.stub().StreamLogs(&context, request);
  LogPrinter printer(session);
  v1::StreamLogsResponse piece;
  while (stream->Read(&piece)) printer.add(piece.text());
  const grpc::Status status = stream->Finish();
  if (!status.ok()) throw session.connection.failure(status);
  return Exit::kOk;
}

}  // namespace traind
