#include "notifier/password_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "model/base/error.h"

namespace traind {
namespace {

constexpr std::size_t kLongest = 4096;

class OpenFile {
 public:
  // O_NONBLOCK: a FIFO put in the file's place must not make the mailer wait.
  explicit OpenFile(const std::string& path)
      : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {
    if (fd_ < 0) throw system_error("cannot read the password file " + path, errno);
  }
  ~OpenFile() { ::close(fd_); }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

bool is_systemd_credential(const std::string& path) {
  const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
  if (!folder || !*folder) return false;
  std::error_code ignored;
  const auto inside = std::filesystem::weakly_canonical(path, ignored).parent_path();
  return !inside.empty() && inside == std::filesystem::weakly_canonical(folder, ignored);
}

void check_mode(const OpenFile& file, const std::string& path) {
  struct stat status {};
  if (::fstat(file.fd(), &status) != 0) {
    throw system_error("cannot read the password file " + path, errno);
  }
  if (!S_ISREG(status.st_mode)) {
    throw Error(ErrorKind::kConfig, "the password file " + path + " is not a regular file");
  }
  if ((status.st_mode & 077) != 0 && !is_systemd_credential(path)) {
    throw Error(ErrorKind::kConfig,
                "the password file " + path + " can be read by others: chmod 600 " + path);
  }
}

}  // namespace

std::string read_password(const std::string& path) {
  const OpenFile file(path);
  check_mode(file, path);
  std::array<char, kLongest + 1> buffer{};
  std::size_t size = 0;
  while (size < buffer.size()) {
    const ssize_t got = ::read(file.fd(), buffer.data() + size, buffer.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw system_error("cannot read the password file " + path, errno);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  std::string password(buffer.data(), size);
  if (size > kLongest) {
    throw Error(ErrorKind::kConfig,
                "the password file " + path + " is longer than 4096 bytes: is it the right file?");
  }
  while (!password.empty() && (password.back() == '\n' || password.back() == '\r')) {
    password.pop_back();
  }
  const bool has_controls = std::any_of(password.begin(), password.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
  });
  if (password.empty() || has_controls) {
    throw Error(ErrorKind::kConfig, "the password file " + path +
                                        " must hold the password in one line and nothing else");
  }
  return password;
}

}  // namespace traind
