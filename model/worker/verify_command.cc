#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "model/base/clock.h"
#include "model/base/error.h"
#include "model/base/files.h"
#include "model/base/plain_text.h"
#include "model/train/run_file.h"
#include "model/train/verification.h"
#include "model/worker/commands.h"
#include "model/worker/control_reader.h"
#include "model/worker/frame.h"
#include "model/worker/run_lock.h"
#include "traind/v1/worker.pb.h"

namespace traind {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr const char* kName = "traind-verify";
constexpr auto kBetweenSigns = std::chrono::milliseconds(200);
// Behind the compute threads of a training, which run at +10.
constexpr int kNice = 15;
constexpr int kGoesFirst = 500;  // of -1000 to 1000

// A folder for one verification, gone with the object; what a killed one left there goes first.
class Scratch {
 public:
  explicit Scratch(std::string path) : path_(std::move(path)), lock_(lock(path_)) {
    for (const fs::directory_entry& entry : fs::directory_iterator(path_)) {
      if (entry.path() != lock_path(path_)) fs::remove_all(entry.path());
    }
  }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const std::string& path() const { return path_; }

 private:
  static std::string lock_path(const std::string& path) { return path + "/lock"; }
  static RunLock lock(const std::string& path) {
    make_folders(path);
    return RunLock(lock_path(path), std::chrono::seconds(0), [] {});
  }

  const std::string path_;
  const RunLock lock_;
};

// Without an option beside the run's folder, where its checkpoints can have a second name.
std::string scratch_path(const VerifyArguments& arguments) {
  if (!arguments.scratch.empty()) return arguments.scratch + "/" + kName;
  const fs::path folder = fs::absolute(arguments.folder).lexically_normal();
  return (folder.has_filename() ? folder : folder.parent_path()).string() + "." + kName;
}

v1::Verdict to_proto(Verdict verdict) {
  switch (verdict) {
    case Verdict::kSame:
      return v1::VERDICT_SAME;
    case Verdict::kClose:
      return v1::VERDICT_CLOSE;
    case Verdict::kDifferent:
      break;
  }
  return v1::VERDICT_DIFFERENT;
}

v1::Phase to_proto(Phase phase) { return static_cast<v1::Phase>(static_cast<int>(phase) + 1); }

void put(const VerifiedRun& verified, v1::VerifyResult& result) {
  const Comparison& comparison = verified.comparison;
  result.set_verdict(to_proto(comparison.verdict));
  result.set_digest(comparison.digest);
  result.set_trained_digest(comparison.trained_digest);
  result.set_optimizer_digest(comparison.optimizer_digest);
  result.set_trained_optimizer_digest(comparison.trained_optimizer_digest);
  for (const std::string& difference : comparison.differences) {
    result.add_differences(one_line(difference));
  }
  for (const std::string& note : verified.notes) result.add_notes(one_line(note));
  result.set_distance(comparison.distance);
  result.set_device(verified.device);
  result.set_device_name(verified.device_name);
  result.set_equal_bits(verified.equal_bits);
}

// Signs of life, for the daemon as frames, for a person at a terminal as a line.
class Teller {
 public:
  Teller(bool framed, TrainerControl& control)
      : framed_(framed), terminal_(!framed && isatty(STDERR_FILENO) == 1), control_(control) {}
  ~Teller() {
    if (shown_) std::fputs("\r\033[K", stderr);
  }
  Teller(const Teller&) = delete;
  Teller& operator=(const Teller&) = delete;

  void tell(const v1::VerifyProgress& progress) {
    const Clock::time_point now = Clock::now();
    if (progress.phase() == phase_ && now - last_ < kBetweenSigns) return;
    phase_ = progress.phase();
    last_ = now;
    if (framed_) {
      v1::VerifyMessage message;
      *message.mutable_progress() = progress;
      // Whoever wanted to know has gone.
      if (!write_frame(STDOUT_FILENO, message.SerializeAsString())) control_.request_stop();
    } else if (terminal_) {
      shown_ = true;
      std::fprintf(stderr, "\r\033[Kstep %lld of %lld",
                   static_cast<long long>(progress.step() - progress.from_step()),
                   static_cast<long long>(progress.to_step() - progress.from_step()));
      if (progress.seconds_left() >= 0) {
        std::fprintf(stderr, ", %s left", duration_words(progress.seconds_left()).c_str());
      }
    }
  }

 private:
  const bool framed_;
  const bool terminal_;
  TrainerControl& control_;
  v1::Phase phase_ = v1::PHASE_UNSPECIFIED;
  Clock::time_point last_;
  bool shown_ = false;
};

// To a training on the same machine: in computing, and when memory runs out. Refusal is harmless.
void give_way() {
  (void)setpriority(PRIO_PROCESS, 0, kNice);
  std::ofstream("/proc/self/oom_score_adj") << kGoesFirst;
}

v1::VerifyResult verify(const VerifyArguments& arguments, TrainerControl& control) {
  const Clock::time_point begin = Clock::now();
  Teller teller(arguments.framed, control);
  v1::VerifyProgress progress;
  progress.set_phase(v1::PHASE_STARTING);
  progress.set_seconds_left(-1);
  teller.tell(progress);

  const RunFolder folder{arguments.folder};
  const RunFile run = parse_run_file(read_whole(folder.run_file()), folder.run_file(), folder.path);
  const Scratch scratch(scratch_path(arguments));
  Verification verification(run, folder, scratch.path());
  const Verification::Pinned& from = verification.from();
  const Verification::Pinned& to = verification.to();
  progress.set_from(from.file);
  progress.set_to(to.file);
  progress.set_from_step(from.step);
  progress.set_to_step(to.step);

  const RunFile then =
      parse_run_file(to.identity.config, "the run file inside " + to.file, folder.path);
  v1::VerifyResult result;
  put(verification.train(then, control,
                         [&](Phase phase, std::int64_t step, double seconds_left) {
                           progress.set_phase(to_proto(phase));
                           progress.set_step(step);
                           progress.set_seconds_left(seconds_left);
                           teller.tell(progress);
                         }),
      result);
  result.set_from(from.file);
  result.set_to(to.file);
  result.set_from_step(from.step);
  result.set_to_step(to.step);
  result.set_seconds(std::chrono::duration<double>(Clock::now() - begin).count());
  return result;
}

const char* in_words(v1::Verdict verdict) {
  if (verdict == v1::VERDICT_SAME) return "the same, to the last bit";
  if (verdict == v1::VERDICT_CLOSE) return "as close as a device without equal bits comes";
  return "DIFFERENT";
}

void print(const v1::VerifyResult& result) {
  std::printf("%s: trained from %s to %s, %lld steps in %s, on %s\n", in_words(result.verdict()),
              result.from().c_str(), result.to().c_str(),
              static_cast<long long>(result.to_step() - result.from_step()),
              duration_words(result.seconds()).c_str(), one_line(result.device_name()).c_str());
  std::printf("weights    %s, trained anew %s\n", result.digest().c_str(),
              result.trained_digest().c_str());
  std::printf("optimizer  %s, trained anew %s\n", result.optimizer_digest().c_str(),
              result.trained_optimizer_digest().c_str());
  for (const std::string& text : result.differences()) std::printf("differs    %s\n", text.c_str());
  for (const std::string& text : result.notes()) std::printf("note       %s\n", text.c_str());
}

}  // namespace

int verify_command(const VerifyArguments& arguments) {
  give_way();
  TrainerControl control;
  const ControlReader signals(control, -1);
  if (!arguments.framed) {
    const v1::VerifyResult result = verify(arguments, control);
    print(result);
    if (std::fflush(stdout) != 0) return 1;
    return result.verdict() == v1::VERDICT_DIFFERENT ? 1 : 0;
  }
  v1::VerifyMessage message;
  try {
    *message.mutable_result() = verify(arguments, control);
  } catch (const std::exception& caught) {
    const Error error = error_of(caught);
    message.mutable_result()->set_kind(name_of(error.kind()));
    message.mutable_result()->set_message(one_line(error.what()));
  }
  return write_frame(STDOUT_FILENO, message.SerializeAsString()) ? 0 : 1;
}

}  // namespace traind
