// traind.toml, read once into plain values. Defaults stand here and in config.cc's defaults().
//
// Values; safe on any thread. Whatever cannot work is Error(kConfig) naming file and line. The
// environment is read here and nowhere else in the daemon, except by systemd's own library.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "notifier/mail.h"
#include "notifier/mail_transport.h"

namespace traind {

enum class MailRoute { kNone, kFolder, kSmtp };

struct ListenSettings {
  std::string socket;        // path of the Unix socket
  std::string socket_group;  // its group; empty = the daemon's own
  std::string tcp;           // "127.0.0.1:7433" or "[::1]:7433"; empty = off
};

struct MailSettings {
  MailRoute route = MailRoute::kFolder;
  std::string folder;           // of .eml files
  std::vector<std::string> to;  // empty with kNone only
  MailIdentity identity;
  SmtpSettings smtp;
  bool on_start = true;
  bool every_epoch = true;
  bool on_restart = true;  // at most one an hour and run; end and failure are always told
  bool on_warning = true;  // at most one an hour, run and topic
  std::chrono::milliseconds retry_first{60'000};  // doubled each time, up to longest
  std::chrono::milliseconds retry_longest{900'000};
};

struct WorkerSettings {
  std::string program;
  std::chrono::milliseconds stall_timeout{300'000};  // without a sign of life
  std::chrono::milliseconds restart_delay{2'000};    // doubled each time, up to longest
  std::chrono::milliseconds longest_restart_delay{300'000};
  int max_restarts = 5;                              // without progress in between
  std::chrono::milliseconds stop_timeout{25'000};    // then SIGKILL
  std::chrono::milliseconds check_timeout{600'000};  // for the check before a start
  std::chrono::milliseconds translate_timeout{60'000};
};

struct DaemonConfig {
  std::string state_folder;
  ListenSettings listen;
  MailSettings mail;
  WorkerSettings worker;
  std::string log_level = "info";

  std::string database() const { return state_folder + "/traind.db"; }
  std::string run_folder(const std::string& id) const { return state_folder + "/runs/" + id; }
};

// access(2) and read_password() (notifier/password_file.h).
bool may_access(const std::string& path, int mode);
void check_password_file(const std::string& path);

// What the machine says about itself: environment, host, own place, files.
struct Surroundings {
  std::string state_directory;        // $STATE_DIRECTORY
  std::string runtime_directory;      // $RUNTIME_DIRECTORY
  std::string credentials_directory;  // $CREDENTIALS_DIRECTORY
  std::string search_path;            // $PATH
  std::string executable_folder;      // of this program
  std::string working_folder;
  std::string host;
  // All that a configuration's text can ask about files. Told otherwise where no text may reach
  // them.
  bool (*may)(const std::string& path, int mode) = may_access;
  void (*check_password)(const std::string& path) = check_password_file;
};
Surroundings read_surroundings();

// `path` may be empty: then the defaults alone count. `state_folder` overrides when not empty.
// Throws Error(kConfig), and Error(kNotFound | kIo) for the file itself.
DaemonConfig load_config(const std::string& path, const std::string& state_folder,
                         const Surroundings& surroundings);
// The same of the text that stands in `path`. Throws Error(kConfig).
DaemonConfig parse_config(const std::string& text, const std::string& path,
                          const std::string& state_folder, const Surroundings& surroundings);

// Every value as TOML, in a fixed order; names the password's file, never the password.
std::string to_toml(const DaemonConfig& config);

}  // namespace traind
