#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "client/figures.h"
#include "client/json_of.h"
#include "client/render_status.h"
#include "client/terminal_text.h"
#include "client/verbs.h"

namespace traind {

namespace {

std::string file_text(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    throw Failure(Exit::kFailure, "cannot read " + neutral(path) + ": it is a folder");
  }
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  // An empty file puts nothing into `text`, which counts as a failure there, not of the file.
  if (!file || file.bad()) {
    throw Failure(Exit::kFailure, "cannot read " + neutral(path) + ": " + std::strerror(errno));
  }
  std::string result = text.str();
  const std::size_t bad = first_invalid_utf8(result);
  if (bad != std::string::npos) {
    const auto line = std::count(result.begin(), result.begin() + static_cast<long>(bad), '\n') + 1;
    throw Failure(Exit::kFailure,
                  neutral(path) + ":" + std::to_string(line) + ": not UTF-8; save it as UTF-8");
  }
  return result;
}

// 128 random bits: the daemon tells a repeated request from a second one by it.
std::string request_id() {
  unsigned char bytes[16];
  if (getrandom(bytes, sizeof(bytes), 0) != static_cast<ssize_t>(sizeof(bytes))) {
    throw Failure(Exit::kFailure, std::string("no random numbers: ") + std::strerror(errno));
  }
  std::string text;
  for (const unsigned char byte : bytes) {
    char digits[3];
    std::snprintf(digits, sizeof(digits), "%02x", byte);
    text += digits;
  }
  return text;
}

// What a changing verb prints: the run as it is now.
void print_run(Session& session, const v1::Run& run) {
  if (session.options.json) {
    session.out.write(json_text(json_of(run)));
  } else if (session.options.quiet) {
    session.out.write(neutral(run.id()) + "\n");
  } else {
    session.out.write(headline(run, session.look) + "\n");
  }
}

}  // namespace

Exit start(Session& session) {
  const Options& options = session.options;
  v1::StartRunRequest request;
  request.set_run_toml(file_text(options.run_file));
  request.set_run_path(options.run_file);
  const std::string base = std::filesystem::absolute(options.run_file).parent_path().string();
  if (first_invalid_utf8(base) != std::string::npos) {
    throw Failure(Exit::kFailure, "the folder of the run file, " + base +
                                      ", has a name that is not UTF-8; rename it");
  }
  request.set_base_folder(base);
  request.set_name(options.name);
  request.set_request_id(request_id());
  request.set_from(options.from);
  const auto reply = session.connection.call(&Connection::Stub::StartRun, request, Patience::kLong);

  for (const std::string& notice : reply.notices()) session.say(neutral(notice));
  if (options.json && !options.watch) {
    session.out.write(json_text(json_of(reply)));
  } else if (!options.json) {
    print_run(session, reply.run());
  }
  if (!options.json && !options.quiet) {
    session.out.write("  " + count_text(reply.train_examples()) + " examples to train on, " +
                      count_text(reply.valid_examples()) + " held out, " +
                      count_text(reply.skipped_lines()) + " lines skipped; id " +
                      neutral(reply.run().id()) + "\n");
  }
  return options.watch ? watch(session, reply.run().id()) : Exit::kOk;
}

Exit stop(Session& session) {
  v1::StopRunRequest request;
  request.set_run(session.options.run);
  const v1::Run run = session.connection.call(&Connection::Stub::StopRun, request).run();
  if (!session.options.wait) {
    print_run(session, run);
    return Exit::kOk;
  }
  v1::GetStatusRequest now;
  now.set_run(run.id());
  const auto status = session.connection.call(&Connection::Stub::GetStatus, now);
  const v1::Run ended = ended_status(session, status, 0).run();
  print_run(session, ended);
  return ended.state() == v1::RUN_STATE_FAILED ? Exit::kRunFailed : Exit::kOk;
}

Exit resume(Session& session) {
  v1::ResumeRunRequest request;
  request.set_run(session.options.run);
  request.set_accept_changed_data(session.options.accept_changed_data);
  if (session.options.learning_rate) request.set_learning_rate(*session.options.learning_rate);
  if (session.options.epochs) request.set_epochs(*session.options.epochs);
  if (session.options.batch_size) request.set_batch_size(*session.options.batch_size);
  // The daemon checks the corpus first, as it does for a start.
  const auto reply =
      session.connection.call(&Connection::Stub::ResumeRun, request, Patience::kLong);
  print_run(session, reply.run());
  return Exit::kOk;
}

Exit save(Session& session) {
  v1::SaveCheckpointRequest request;
  request.set_run(session.options.run);
  session.connection.call(&Connection::Stub::SaveCheckpoint, request);
  session.say("asked for a checkpoint; `trainctl checkpoints` shows it when it is durable");
  return Exit::kOk;
}

}  // namespace traind
