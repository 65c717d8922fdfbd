// `trainctl verify`: looks on while traind trains anew what a run trained between its two newest
// checkpoints, and prints whether it came to the same.
#include <unistd.h>

#include <chrono>
#include <optional>

#include "client/json_of.h"
#include "client/render_verify.h"
#include "client/terminal_text.h"
#include "client/verbs.h"

namespace traind {

namespace {

// How far it is, on standard error: one line that is drawn anew on a terminal, else a sentence when
// something else begins.
class ProgressLine {
 public:
  explicit ProgressLine(Session& session)
      : session_(session),
        drawn_anew_(!session.options.quiet && isatty(session.talk.fd()) == 1),
        look_(session.look) {
    look_.width = terminal_size(session.talk.fd()).columns - 1;
  }

  void show(const v1::VerifyProgress& progress) {
    if (drawn_anew_) {
      session_.talk.write("\r\x1b[K" + verify_line(progress, look_));
      shown_ = true;
    } else if (progress.phase() != phase_ && progress.phase() == v1::PHASE_TRAINING) {
      session_.say("training anew from " + progress.from() + " to " + progress.to());
    }
    phase_ = progress.phase();
  }
  void clear() {
    if (shown_) session_.talk.write("\r\x1b[K");
    shown_ = false;
  }

 private:
  Session& session_;
  const bool drawn_anew_;
  Look look_;
  v1::Phase phase_ = v1::PHASE_UNSPECIFIED;
  bool shown_ = false;
};

void say_started(Session& session, const v1::VerifyStarted& started) {
  if (started.beside().empty()) return;
  session.say("run " + started.beside() +
              " is training meanwhile: both are slower until this is done");
}

void print(Session& session, const v1::VerifyStarted& started, const v1::VerifyResult& result) {
  if (session.options.json) {
    Json json = {{"run", started.run().name()}, {"id", started.run().id()}};
    json.update(json_of(result));
    session.out.write(json_text(json));
  } else if (session.options.quiet) {
    session.out.write(name_of(result.verdict()) + "\n");
  } else {
    session.out.write(render_verify(started.run(), result, session.look));
  }
}

}  // namespace

Exit verify(Session& session) {
  v1::VerifyRunRequest request;
  request.set_run(session.options.run);
  grpc::ClientContext context;
  // It takes as long as training took between the two, so only a person can know when it is late.
  if (session.options.timeout_seconds > 0) {
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::duration_cast<std::chrono::system_clock::duration>(
                             std::chrono::duration<double>(session.options.timeout_seconds)));
  }
  const auto stream = session.connection.stub().VerifyRun(&context, request);
  ProgressLine line(session);
  v1::VerifyStarted started;
  std::optional<v1::VerifyResult> result;
  for (v1::VerifyRunResponse told; stream->Read(&told);) {
    if (told.has_started()) {
      started = told.started();
      say_started(session, started);
    } else if (told.has_progress()) {
      line.show(told.progress());
    } else if (told.has_result()) {
      result = told.result();
    }
  }
  const grpc::Status status = stream->Finish();
  line.clear();
  if (!status.ok()) throw session.connection.failure(status);
  if (!result) throw Failure(Exit::kFailure, "traind told no result");
  print(session, started, *result);
  return result->verdict() == v1::VERDICT_DIFFERENT ? Exit::kFailure : Exit::kOk;
}

}  // namespace traind
