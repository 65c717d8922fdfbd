#include "daemon/run_starter.h"

#include <filesystem>
#include <utility>

#include "daemon/initial_weights.h"
#include "daemon/ulid.h"
#include "daemon/worker_call.h"
#include "model/base/clock.h"
#include "model/base/files.h"
#include "model/train/run_file.h"

namespace traind {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLongestRunFile = std::size_t{1} << 20;
constexpr std::size_t kLongestRequestId = 128;
constexpr std::size_t kLongestFrom = 512;
// The newest and the one being written: with less, not even one good checkpoint would be kept.
constexpr std::uint64_t kLeastCheckpoints = 2;

// Removes the run's folder again unless the run came into being.
class FolderGuard {
 public:
  explicit FolderGuard(std::string path) : path_(std::move(path)) {}
  ~FolderGuard() {
    std::error_code ignored;
    if (!kept_) fs::remove_all(path_, ignored);
  }
  FolderGuard(const FolderGuard&) = delete;
  FolderGuard& operator=(const FolderGuard&) = delete;
  void keep() noexcept { kept_ = true; }

 private:
  const std::string path_;
  bool kept_ = false;
};

void refuse_arguments(const v1::StartRunRequest& request) {
  const auto refuse = [](const std::string& why) { throw Error(ErrorKind::kConfig, why); };
  if (request.run_toml().empty()) refuse("the run file is empty");
  if (request.run_toml().size() > kLongestRunFile) refuse("the run file is above 1 MiB");
  if (!fs::path(request.base_folder()).is_absolute()) {
    refuse("base_folder must be an absolute path: corpus paths are taken from it");
  }
  if (!request.name().empty() && !is_valid_run_name(request.name())) {
    refuse("\"" + request.name() +
           "\" is not a name for a run: use letters, digits, '.', '_' "
           "and '-', at most 64, beginning with a letter or digit");
  }
  if (request.request_id().size() > kLongestRequestId) refuse("request_id is too long");
  if (request.from().size() > kLongestFrom) refuse("from is too long");
}

// The check read a copy of the text; people know it by the path that they gave.
std::string with_path_of(const v1::StartRunRequest& request, const std::string& copy,
                         std::string text) {
  const std::string shown = request.run_path().empty() ? "run.toml" : request.run_path();
  for (std::size_t at = 0; (at = text.find(copy, at)) != std::string::npos;) {
    text.replace(at, copy.size(), shown);
    at += shown.size();
  }
  return text;
}

}  // namespace

RunRow RunStarter::start(const v1::StartRunRequest& request, v1::StartRunResponse& response,
                         const std::stop_token& stop) const {
  refuse_arguments(request);
  if (!request.request_id().empty()) {
    const auto known =
        store_.read([&](Database& db) { return run_by_request(db, request.request_id()); });
    if (known) return *known;
  }
  RunRow run;
  run.created_micros = unix_micros();
  run.id = make_ulid(run.created_micros);
  const std::string folder = config_.run_folder(run.id);
  FolderGuard guard(folder);
  make_folders(folder);

  const v1::CheckReport report =
      request.from().empty() ? check(request, folder, stop)
                             : check_with_weights(request, folder, stop, run.started.started_from);
  refuse_without_space(report);
  write_durably(posix_files(), folder + "/run.toml", report.config());

  run.name = report.name();
  run.request_id = request.request_id();
  run.epochs = report.epochs();
  run.started.config = report.config();
  run.started.train_examples = report.train_examples();
  run.started.valid_examples = report.valid_examples();
  run.started.skipped_lines = report.skipped_lines();
  run = supervisor_.start_run(run);
  guard.keep();

  response.set_train_examples(report.train_examples());
  response.set_valid_examples(report.valid_examples());
  response.set_skipped_lines(report.skipped_lines());
  for (const std::string& notice : report.notices()) {
    response.add_notices(with_path_of(request, folder + "/submitted.toml", notice));
  }
  return run;
}

v1::CheckReport RunStarter::check_with_weights(const v1::StartRunRequest& request,
                                               const std::string& folder,
                                               const std::stop_token& stop,
                                               std::string& from) const {
  std::string passed_over;
  for (const InitialWeights& weights : weights_meant(config_, store_, request.from())) {
    from = weights.name;
    if (!take_weights(weights, folder)) {
      passed_over = weights.name + " is gone by now";
      continue;
    }
    try {
      v1::CheckReport report = check(request, folder, stop);
      if (!passed_over.empty()) {
        passed_over.append("; it begins with ").append(from);
        report.add_notices(passed_over);
      }
      return report;
    } catch (const Error& error) {
      // Only a damaged file has a next one to try.
      if (error.kind() != ErrorKind::kCorrupt) throw;
      passed_over = weights.name + " was passed over (" + error.what() + ")";
    }
  }
  throw Error(ErrorKind::kNotFound, "there are no good weights to begin with: " + passed_over);
}

v1::CheckReport RunStarter::check(const v1::StartRunRequest& request, const std::string& folder,
                                  const std::stop_token& stop) const {
  const std::string copy = folder + "/submitted.toml";
  write_durably(posix_files(), copy, request.run_toml());
  WorkerCall call{config_.worker.program,
                  {"check", copy, "--base", request.base_folder(), "--folder", folder},
                  {},
                  config_.worker.check_timeout};
  if (!request.from().empty()) {
    call.arguments.insert(call.arguments.end(), {"--from", initial_weights_path(folder)});
  }
  if (!request.name().empty()) {
    call.arguments.insert(call.arguments.end(), {"--name", request.name()});
  }
  v1::CheckReport report;
  if (!report.ParseFromString(answer_of(call, stop))) {
    throw Error(ErrorKind::kCorrupt, call.program + " check gave an answer that is none");
  }
  if (!report.kind().empty()) {
    // A corpus that is not there is an argument that cannot work, not a missing run.
    const ErrorKind kind = error_kind_from_name(report.kind());
    throw Error(kind == ErrorKind::kNotFound ? ErrorKind::kConfig : kind,
                with_path_of(request, copy, report.message()));
  }
  if (!is_valid_run_name(report.name()) || report.config().empty() || report.epochs() < 1) {
    throw Error(ErrorKind::kCorrupt, call.program + " check gave an answer that cannot be");
  }
  return report;
}

void RunStarter::refuse_without_space(const v1::CheckReport& report) const {
  if (report.checkpoint_bytes() <= 0) return;
  const auto bytes = static_cast<std::uint64_t>(report.checkpoint_bytes());
  const std::uint64_t free = free_bytes(config_.state_folder);
  if (free / kLeastCheckpoints >= bytes) return;
  throw Error(ErrorKind::kNoSpace, config_.state_folder + ": " + std::to_string(free >> 20) +
                                       " MiB are free, but one checkpoint of this run takes " +
                                       std::to_string(bytes >> 20) +
                                       " MiB and two must fit: free some space");
}

}  // namespace traind
