#include "daemon/config.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <sstream>

#include "model/base/files.h"
#include "model/base/plain_text.h"
#include "model/base/quoting.h"
#include "model/base/toml_reader.h"
#include "notifier/password_file.h"

namespace traind {
namespace {

namespace fs = std::filesystem;

// struct sockaddr_un holds 108 bytes with the final zero.
constexpr std::size_t kLongestSocketPath = 107;
constexpr std::uint64_t kLargestFile = 1 << 20;
constexpr double kDay = 86400;

// Without a slash at its end.
std::string absolute(const std::string& path, const std::string& folder) {
  std::string whole = (fs::path(folder) / path).lexically_normal().string();
  if (whole.size() > 1 && whole.ends_with('/')) whole.pop_back();
  return whole;
}

std::string find_worker(const Surroundings& surroundings) {
  std::vector<std::string> folders = {surroundings.executable_folder,
                                      surroundings.executable_folder + "/../libexec/traind",
                                      surroundings.executable_folder + "/../model/worker"};
  std::stringstream path(surroundings.search_path);
  for (std::string folder; std::getline(path, folder, ':');) {
    if (folder.starts_with('/')) folders.push_back(folder);
  }
  for (const std::string& folder : folders) {
    std::string program = absolute("traind-worker", folder);
    if (surroundings.may(program, X_OK)) return program;
  }
  return {};
}

DaemonConfig defaults(const std::string& state_folder, const Surroundings& surroundings) {
  DaemonConfig config;
  config.state_folder = state_folder;
  config.listen.socket = absolute("traind.sock", surroundings.runtime_directory.empty()
                                                     ? state_folder
                                                     : surroundings.runtime_directory);
  config.mail.folder = absolute("mail", state_folder);
  const std::string from = "traind@" + surroundings.host;
  config.mail.identity = {is_valid_address(from) ? from : "traind@localhost",
                          "traind on " + surroundings.host,
                          is_valid_address(from) ? surroundings.host : "localhost"};
  if (!surroundings.credentials_directory.empty()) {
    const std::string file = surroundings.credentials_directory + "/traind.smtp-password";
    if (surroundings.may(file, R_OK)) config.mail.smtp.password_file = file;
  }
  config.worker.program = find_worker(surroundings);
  return config;
}

// A port on loopback, or the reason why not.
std::optional<std::string> why_not_loopback(const std::string& address) {
  std::string port;
  for (const char* host : {"127.0.0.1:", "[::1]:"}) {
    if (address.starts_with(host)) port = address.substr(std::string(host).size());
  }
  if (port.empty()) {
    return "\"" + address +
           "\" is not loopback: only \"127.0.0.1:PORT\" and \"[::1]:PORT\" are served, because "
           "beyond this machine the service would need TLS with client certificates. From "
           "elsewhere, reach the Unix socket through ssh";
  }
  const bool digits =
      std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits || port.size() > 5 || std::stoi(port) < 1 || std::stoi(port) > 65535) {
    return "\"" + port + "\" is not a port: use a number from 1 to 65535";
  }
  return std::nullopt;
}

// Taken from the file's folder; an empty one is as good as none.
void read_path(TomlReader& toml, const char* table, const char* key, std::string& value,
               const std::string& folder) {
  const std::string path = toml.text(table, key, "");
  if (!path.empty()) value = absolute(path, folder);
}

void read_listen(TomlReader& toml, ListenSettings& listen, const std::string& folder) {
  read_path(toml, "listen", "socket", listen.socket, folder);
  if (listen.socket.size() > kLongestSocketPath) {
    throw toml.error_at("listen", "socket",
                        listen.socket + " is too long for a Unix socket: at most " +
                            std::to_string(kLongestSocketPath) +
                            " characters; set socket in "
                            "[listen] to a shorter path");
  }
  listen.socket_group = toml.text("listen", "socket_group", listen.socket_group);
  listen.tcp = toml.text("listen", "tcp", listen.tcp);
  if (listen.tcp.empty()) return;
  if (const auto why = why_not_loopback(listen.tcp)) throw toml.error_at("listen", "tcp", *why);
}

void read_smtp(TomlReader& toml, SmtpSettings& smtp, const std::string& folder) {
  smtp.host = toml.text("mail", "host", "");
  const std::string tls = toml.choice("mail", "tls", "starttls", {"starttls", "implicit", "none"});
  smtp.tls = tls == "starttls"   ? SmtpTls::kStarttls
             : tls == "implicit" ? SmtpTls::kImplicit
                                 : SmtpTls::kNone;
  const int usual = smtp.tls == SmtpTls::kStarttls   ? 587
                    : smtp.tls == SmtpTls::kImplicit ? 465
                                                     : 25;
  smtp.port = static_cast<int>(toml.integer("mail", "port", usual, 1, 65535));
  smtp.user = toml.text("mail", "user", "");
  read_path(toml, "mail", "password_file", smtp.password_file, folder);
  read_path(toml, "mail", "ca_file", smtp.ca_file, folder);
  smtp.helo = toml.text("mail", "helo", "");
  smtp.timeout_seconds = static_cast<int>(toml.integer("mail", "timeout_seconds", 60, 1, 3600));
}

void check_smtp(const TomlReader& toml, const MailSettings& mail,
                const Surroundings& surroundings) {
  if (mail.smtp.host.empty()) {
    throw toml.error_at("mail", "transport", "transport \"smtp\" needs a host");
  }
  if (!mail.smtp.user.empty() && mail.smtp.password_file.empty()) {
    throw toml.error_at("mail", "user",
                        "a user needs password_file, or the systemd credential "
                        "traind.smtp-password");
  }
  try {
    make_smtp_transport(mail.smtp);
  } catch (const Error& error) {
    throw toml.error_at("mail", "host", error.what());
  }
  try {
    // Read anew at each send; here so that a file that cannot serve is said at once.
    if (!mail.smtp.password_file.empty()) surroundings.check_password(mail.smtp.password_file);
  } catch (const Error& error) {
    throw toml.error_at("mail", "password_file", error.what());
  }
}

void read_seconds(TomlReader& toml, const char* table, const char* key,
                  std::chrono::milliseconds& value, double least, double most = 30 * kDay) {
  const double seconds =
      toml.number(table, key, static_cast<double>(value.count()) / 1000, least, most);
  value = std::chrono::milliseconds(std::llround(seconds * 1000));
}

void read_retries(TomlReader& toml, MailSettings& mail) {
  read_seconds(toml, "mail", "retry_first_seconds", mail.retry_first, 0.01, kDay);
  read_seconds(toml, "mail", "retry_longest_seconds", mail.retry_longest, 0.01, kDay);
  if (mail.retry_longest < mail.retry_first) {
    throw toml.error_at("mail", "retry_longest_seconds",
                        "the longest wait is shorter than retry_first_seconds");
  }
}

void read_mail(TomlReader& toml, MailSettings& mail, const std::string& folder,
               const Surroundings& surroundings) {
  const std::string route = toml.choice("mail", "transport", "folder", {"none", "folder", "smtp"});
  mail.route = route == "none"     ? MailRoute::kNone
               : route == "folder" ? MailRoute::kFolder
                                   : MailRoute::kSmtp;
  read_path(toml, "mail", "folder", mail.folder, folder);
  // A folder needs no address to be useful.
  mail.to =
      toml.texts("mail", "to",
                 mail.route == MailRoute::kFolder ? std::vector<std::string>{"owner@localhost"}
                                                  : std::vector<std::string>{});
  for (const std::string& address : mail.to) {
    if (!is_valid_address(address)) {
      throw toml.error_at("mail", "to", "\"" + address + "\" is not a mail address");
    }
  }
  std::vector<std::string> sorted = mail.to;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
    throw toml.error_at("mail", "to", "an address stands there twice");
  }
  if (mail.route != MailRoute::kNone && mail.to.empty()) {
    throw toml.error_at("mail", "to",
                        "mails need at least one address; transport = \"none\" "
                        "turns them off");
  }
  mail.identity.from = toml.text("mail", "from", mail.identity.from);
  if (!is_valid_address(mail.identity.from)) {
    throw toml.error_at("mail", "from", "\"" + mail.identity.from + "\" is not a mail address");
  }
  mail.on_start = toml.boolean("mail", "on_start", mail.on_start);
  mail.every_epoch = toml.boolean("mail", "every_epoch", mail.every_epoch);
  mail.on_restart = toml.boolean("mail", "on_restart", mail.on_restart);
  mail.on_warning = toml.boolean("mail", "on_warning", mail.on_warning);
  read_retries(toml, mail);
  read_smtp(toml, mail.smtp, folder);
  if (mail.route != MailRoute::kSmtp) return;
  // systemd's credential is there for whoever logs in; without a user nobody does.
  if (mail.smtp.user.empty() && toml.text("mail", "password_file", "").empty()) {
    mail.smtp.password_file.clear();
  }
  check_smtp(toml, mail, surroundings);
}

void read_worker(TomlReader& toml, WorkerSettings& worker, const std::string& folder,
                 const Surroundings& surroundings) {
  if (toml.has("worker", "program")) {
    worker.program = absolute(toml.text("worker", "program", ""), folder);
    if (!surroundings.may(worker.program, X_OK)) {
      throw toml.error_at("worker", "program",
                          worker.program +
                              " is not a program that can be "
                              "executed");
    }
  }
  read_seconds(toml, "worker", "stall_timeout_seconds", worker.stall_timeout, 0.1);
  read_seconds(toml, "worker", "restart_delay_seconds", worker.restart_delay, 0.01);
  read_seconds(toml, "worker", "longest_restart_delay_seconds", worker.longest_restart_delay, 0.01);
  read_seconds(toml, "worker", "stop_timeout_seconds", worker.stop_timeout, 0.1);
  read_seconds(toml, "worker", "check_timeout_seconds", worker.check_timeout, 0.1);
  read_seconds(toml, "worker", "translate_timeout_seconds", worker.translate_timeout, 0.1);
  worker.max_restarts = static_cast<int>(toml.integer("worker", "max_restarts", 5, 0, 1000));
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): before any thread
  return value == nullptr ? std::string() : std::string(value);
}

// systemd puts several folders into one variable, divided by colons: the first is ours.
std::string first_of(const std::string& folders) { return folders.substr(0, folders.find(':')); }

}  // namespace

bool may_access(const std::string& path, int mode) { return access(path.c_str(), mode) == 0; }

void check_password_file(const std::string& path) { read_password(path); }

Surroundings read_surroundings() {
  Surroundings found;
  found.state_directory = first_of(environment("STATE_DIRECTORY"));
  found.runtime_directory = first_of(environment("RUNTIME_DIRECTORY"));
  found.credentials_directory = environment("CREDENTIALS_DIRECTORY");
  found.search_path = environment("PATH");
  std::error_code ignored;
  found.executable_folder = fs::read_symlink("/proc/self/exe", ignored).parent_path().string();
  found.working_folder = fs::current_path().string();
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) == 0) found.host = host.data();
  if (found.host.empty()) found.host = "localhost";
  return found;
}

DaemonConfig load_config(const std::string& path, const std::string& state_folder,
                         const Surroundings& surroundings) {
  const std::string text = path.empty() ? std::string() : read_whole(path, kLargestFile);
  return parse_config(text, path, state_folder, surroundings);
}

DaemonConfig parse_config(const std::string& text, const std::string& path,
                          const std::string& state_folder, const Surroundings& surroundings) {
  TomlReader toml(text, path.empty() ? "(defaults)" : path);
  const std::string folder =
      fs::path(absolute(path, surroundings.working_folder)).parent_path().string();

  std::string state = surroundings.state_directory.empty()
                          ? absolute("traind-state", surroundings.working_folder)
                          : surroundings.state_directory;
  if (toml.has("", "state_folder")) state = absolute(toml.text("", "state_folder", ""), folder);
  if (!state_folder.empty()) state = absolute(state_folder, surroundings.working_folder);
  // SQLite opens no other, and trainctl is told the path.
  if (!is_utf8(state)) {
    throw toml.error_at("", "state_folder",
                        "the path " + state + " is not UTF-8: choose another state folder");
  }

  DaemonConfig config = defaults(state, surroundings);
  read_listen(toml, config.listen, folder);
  read_mail(toml, config.mail, folder, surroundings);
  read_worker(toml, config.worker, folder, surroundings);
  config.log_level =
      toml.choice("log", "level", config.log_level, {"trace", "debug", "info", "warning", "error"});
  toml.refuse_unknown();
  if (config.worker.program.empty()) {
    throw toml.error_at("worker", "program",
                        "traind-worker is neither beside traind nor in PATH: install it, or set "
                        "program in [worker]");
  }
  return config;
}

std::string to_toml(const DaemonConfig& config) {
  const auto seconds = [](std::chrono::milliseconds value) {
    std::ostringstream text;
    text.precision(15);  // every millisecond of the longest time
    text << static_cast<double>(value.count()) / 1000;
    return text.str();
  };
  const auto flag = [](bool value) { return value ? "true" : "false"; };
  const MailSettings& mail = config.mail;
  const WorkerSettings& worker = config.worker;
  std::ostringstream out;
  out << "state_folder = " << toml_quoted(config.state_folder)
      << "\n\n[listen]\nsocket = " << toml_quoted(config.listen.socket)
      << "\nsocket_group = " << toml_quoted(config.listen.socket_group)
      << "\ntcp = " << toml_quoted(config.listen.tcp) << "\n\n[mail]\ntransport = "
      << (mail.route == MailRoute::kNone     ? "\"none\""
          : mail.route == MailRoute::kFolder ? "\"folder\""
                                             : "\"smtp\"")
      << "\nfolder = " << toml_quoted(mail.folder) << "\nto = [";
  for (std::size_t i = 0; i < mail.to.size(); ++i) {
    out << (i == 0 ? "" : ", ") << toml_quoted(mail.to[i]);
  }
  out << "]\nfrom = " << toml_quoted(mail.identity.from) << "\non_start = " << flag(mail.on_start)
      << "\nevery_epoch = " << flag(mail.every_epoch) << "\non_restart = " << flag(mail.on_restart)
      << "\non_warning = " << flag(mail.on_warning)
      << "\nretry_first_seconds = " << seconds(mail.retry_first)
      << "\nretry_longest_seconds = " << seconds(mail.retry_longest)
      << "\nhost = " << toml_quoted(mail.smtp.host) << "\nport = " << mail.smtp.port << "\ntls = "
      << (mail.smtp.tls == SmtpTls::kStarttls   ? "\"starttls\""
          : mail.smtp.tls == SmtpTls::kImplicit ? "\"implicit\""
                                                : "\"none\"")
      << "\nuser = " << toml_quoted(mail.smtp.user)
      << "\npassword_file = " << toml_quoted(mail.smtp.password_file)
      << "\nca_file = " << toml_quoted(mail.smtp.ca_file)
      << "\nhelo = " << toml_quoted(mail.smtp.helo)
      << "\ntimeout_seconds = " << mail.smtp.timeout_seconds
      << "\n\n[worker]\nprogram = " << toml_quoted(worker.program)
      << "\nstall_timeout_seconds = " << seconds(worker.stall_timeout)
      << "\nrestart_delay_seconds = " << seconds(worker.restart_delay)
      << "\nlongest_restart_delay_seconds = " << seconds(worker.longest_restart_delay)
      << "\nmax_restarts = " << worker.max_restarts
      << "\nstop_timeout_seconds = " << seconds(worker.stop_timeout)
      << "\ncheck_timeout_seconds = " << seconds(worker.check_timeout)
      << "\ntranslate_timeout_seconds = " << seconds(worker.translate_timeout)
      << "\n\n[log]\nlevel = " << toml_quoted(config.log_level) << "\n";
  return out.str();
}

}  // namespace traind
