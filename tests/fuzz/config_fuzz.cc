// traind.toml: whatever its bytes, settings the daemon can work with, or an Error. No file but the
// text itself is looked at: whether a file may be used follows from its name.
#include <optional>

#include "daemon/config.h"
#include "tests/fuzz/claims.h"

using namespace traind;

namespace {

bool may_by_name(const std::string& path, int) { return !path.ends_with("absent"); }

void check_by_name(const std::string& path) {
  if (path.ends_with("absent")) throw Error(ErrorKind::kIo, "absent");
}

Surroundings surroundings() {
  Surroundings here;
  here.executable_folder = "/usr/bin";
  here.working_folder = "/work";
  here.host = "gpu1";
  here.may = may_by_name;
  here.check_password = check_by_name;
  return here;
}

void check_values(const DaemonConfig& config) {
  fuzz::claim(config.listen.socket.size() <= 107, "the socket's path fits its structure");
  fuzz::claim(config.listen.tcp.empty() || config.listen.tcp.starts_with("127.0.0.1:") ||
                  config.listen.tcp.starts_with("[::1]:"),
              "the daemon listens on loopback alone");
  fuzz::claim(config.mail.route == MailRoute::kNone || !config.mail.to.empty(),
              "mails have an address");
  for (const std::string& address : config.mail.to) {
    fuzz::claim(is_valid_address(address), "an address is one");
  }
  fuzz::claim(is_valid_address(config.mail.identity.from), "the sender's address is one");
  fuzz::claim(config.mail.smtp.tls != SmtpTls::kNone || config.mail.route != MailRoute::kSmtp ||
                  config.mail.smtp.user.empty(),
              "no password goes over a line in the clear");
  fuzz::claim(config.mail.retry_first.count() > 0 && config.worker.stop_timeout.count() > 0 &&
                  config.worker.restart_delay.count() > 0,
              "waiting takes time");
  for (const std::string* path : {&config.state_folder, &config.listen.socket, &config.mail.folder,
                                  &config.mail.smtp.password_file, &config.worker.program}) {
    fuzz::claim(path->empty() || path->front() == '/', "paths are absolute");
    fuzz::claim(path->find('\0') == std::string::npos, "no path ends before its end");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Surroundings here = surroundings();
  const std::string text = fuzz::text_of(data, size);
  std::optional<DaemonConfig> config;
  if (!fuzz::accepts({ErrorKind::kConfig},
                     [&] { config = parse_config(text, "/etc/traind/traind.toml", "", here); })) {
    return 0;
  }
  check_values(*config);
  const std::string written = to_toml(*config);
  const DaemonConfig again = parse_config(written, "/written.toml", "", here);
  fuzz::claim(to_toml(again) == written, "settings that are written out read back as the same");
  return 0;
}
