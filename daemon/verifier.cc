#include "daemon/verifier.h"

#include <spdlog/spdlog.h>

#include <filesystem>
#include <optional>
#include <stop_token>
#include <utility>

#include "daemon/logging.h"
#include "daemon/ulid.h"
#include "daemon/worker_call.h"
#include "model/base/clock.h"
#include "model/base/error.h"
#include "model/base/files.h"

namespace traind {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kLook{100};

// What is in it goes with the object, however the worker in it ended.
class ScratchFolder {
 public:
  explicit ScratchFolder(std::string path) : path_(std::move(path)) { make_folders(path_); }
  ~ScratchFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

 private:
  const std::string path_;
};

// Where bits are not promised to be equal, that is the first thing to know.
void note_device(const RunRow& run, v1::VerifyResult& result) {
  const std::string& was = run.started.device_name;
  if (was.empty() || was == result.device_name()) return;
  result.add_notes("the run's newest worker trained on " + printable(was) +
                   ", and this was trained on " + printable(result.device_name()) +
                   ": equal bits are promised on one kind of device alone");
}

}  // namespace

struct Verifier::Verification {
  explicit Verification(v1::VerifyStarted begun) : started(std::move(begun)) {}

  const v1::VerifyStarted started;
  std::stop_source stop;
  std::mutex mutex;
  std::int64_t serial = 0;                 // of progress; guarded by mutex
  v1::VerifyProgress progress;             // likewise
  std::optional<v1::VerifyResult> result;  // likewise
  std::optional<Error> error;              // likewise
  bool ended = false;                      // likewise: the process is gone, and its folder
};

Verifier::Feed::Feed(std::shared_ptr<Verification> verification)
    : verification_(std::move(verification)) {}

Verifier::Feed::~Feed() { verification_->stop.request_stop(); }

FeedStep Verifier::Feed::next(v1::VerifyRunResponse& out, StreamPump::Clock::time_point now) {
  out.Clear();
  if (!std::exchange(began_, true)) {
    *out.mutable_started() = verification_->started;
    return {FeedState::kMessage};
  }
  const std::lock_guard lock(verification_->mutex);
  if (verification_->ended && verification_->error) throw Error(*verification_->error);
  if (verification_->ended && std::exchange(told_result_, true)) return {FeedState::kEnd};
  if (verification_->ended) {
    *out.mutable_result() = *verification_->result;
    return {FeedState::kMessage};
  }
  if (verification_->serial > told_) {
    told_ = verification_->serial;
    *out.mutable_progress() = verification_->progress;
    return {FeedState::kMessage};
  }
  return {FeedState::kNothing, now + kLook};
}

Verifier::Verifier(const DaemonConfig& config)
    : config_(config), folder_(config.state_folder + "/verify") {
  remove_leftovers();
}

void Verifier::remove_leftovers() const noexcept {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

Verifier::~Verifier() {
  stop();
  if (thread_.joinable()) thread_.join();
}

void Verifier::stop() noexcept {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  if (current_) current_->stop.request_stop();
}

std::shared_ptr<Verifier::Feed> Verifier::begin(const RunRow& run,
                                                const v1::VerifyStarted& started) {
  const std::lock_guard lock(mutex_);
  if (stopping_) throw Error(ErrorKind::kCancelled, "the daemon is stopping");
  if (current_) {
    const std::lock_guard current_lock(current_->mutex);
    if (!current_->ended && !current_->stop.stop_requested()) {
      throw Error(ErrorKind::kState, "a verification of run " + current_->started.run().name() +
                                         " is under way, and there is one at a time: try again "
                                         "when it is done");
    }
  }
  if (thread_.joinable()) thread_.join();
  remove_leftovers();
  current_ = std::make_shared<Verification>(started);
  thread_ = std::thread([this, run, verification = current_] { work(run, *verification); });
  return std::make_shared<Feed>(current_);
}

void Verifier::work(const RunRow& run, Verification& verification) const {
  std::optional<v1::VerifyResult> result;
  std::optional<Error> error;
  try {
    const std::string path = folder_ + "/" + make_ulid(unix_micros());
    const ScratchFolder scratch(path);
    const WorkerCall call{
        config_.worker.program,
        {"verify", "--folder", config_.run_folder(run.id), "--scratch", path, "--framed"},
        {},
        config_.worker.stall_timeout};
    spdlog::info("verifying run {}", printable(run.name));
    hear_messages(call, verification.stop.get_token(), [&](const std::string& bytes) {
      v1::VerifyMessage message;
      if (!message.ParseFromString(bytes) ||
          message.event_case() == v1::VerifyMessage::EVENT_NOT_SET) {
        throw Error(ErrorKind::kCorrupt, call.program + " verify told something that is none");
      }
      if (message.has_result()) {
        result = message.result();
        return;
      }
      const std::lock_guard lock(verification.mutex);
      verification.progress = message.progress();
      ++verification.serial;
    });
    if (!result) throw Error(ErrorKind::kInternal, call.program + " verify told no result");
    if (!result->kind().empty()) {
      throw Error(error_kind_from_name(result->kind()), result->message());
    }
    note_device(run, *result);
    spdlog::info("verified run {} from step {} to {}: {}", printable(run.name), result->from_step(),
                 result->to_step(), v1::Verdict_Name(result->verdict()));
  } catch (const std::exception& caught) {
    error = error_of(caught);
    const bool given_up = verification.stop.stop_requested();
    spdlog::info("run {} was not verified: {}", printable(run.name),
                 given_up ? "nobody waits for it any more" : printable(error->what()));
  }
  const std::lock_guard lock(verification.mutex);
  verification.result = std::move(result);
  verification.error = std::move(error);
  verification.ended = true;
}

}  // namespace traind
