// A library to preload (LD_PRELOAD): the n-th call that changes a file kills the process, fails,
// takes long, never returns, writes half, or pretends to have worked. What to do stands in a plan,
// the file that the environment's FAILING_CALLS names, read once when a process starts. Its lines:
//
//   program NAME    only in processes of the program with this file name
//   under FOLDER    counts only calls on what lies below this folder
//   calls WORDS     counts only these: create write sync syncdir rename remove truncate mkdir, and
//                   open, which is the opening of a file that is there, and counts only when named
//   at N            acts in the N-th of them that the process makes, counted from 1
//   from N          acts in the N-th and in all after it
//   next FILE       as "at", with the number in this file, which each hit makes one larger: every
//                   process that is started anew is hit one call later
//   while FILE      acts only as long as this file exists
//   do ACTION       kill | stop | hang | slow MILLISECONDS | short | lie |
//                   ENOSPC | EIO | EDQUOT | EROFS | EINTR
//   log FILE        gets a line "NAME PID N CALL PATH" for each hit, and "NAME PID N end" when a
//                   process exits; N is the number of the call
//   trace FILE      gets such a line for each call that is counted, hit or not
//
// "hang" holds the calling thread for ever, while the others go on; "slow" holds it for a while and
// then does the call. "short" writes half of the bytes and is nothing in other calls; "lie" does
// nothing and reports success: an fsync that lies is a disk that loses what it has promised. Calls
// inside libc itself (stdio) are not seen. Nothing here allocates: it runs in the middle of other
// people's calls.

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace {

using Text = std::array<char, PATH_MAX>;

struct Plan {
  bool active = false;
  Text under{};
  Text calls{};
  Text next{};
  Text only_while{};
  Text action{};
  Text log{};
  Text trace{};
  Text program{};
  long at = 0;
  long from = 0;
};

Plan plan;
std::atomic<long> counted{0};

template <typename Function>
Function real(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

void copy(Text& to, const char* from) { std::snprintf(to.data(), to.size(), "%s", from); }

// The whole of a small file as text; false when it cannot be read.
bool read_text(const char* path, Text& text) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t got = read(fd, text.data(), text.size() - 1);
  close(fd);
  text[got > 0 ? static_cast<std::size_t>(got) : 0] = '\0';
  return got >= 0;
}

void write_text(const char* path, const char* text, int flags) {
  static const auto write_it = real<ssize_t (*)(int, const void*, size_t)>("write");
  static const auto open_it = real<int (*)(const char*, int, ...)>("open");
  const int fd = open_it(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);
  if (fd < 0) return;
  [[maybe_unused]] const ssize_t ignored = write_it(fd, text, std::strlen(text));
  close(fd);
}

void add_line(const Text& file, long number, const char* call, const char* path) {
  if (file[0] == '\0') return;
  std::array<char, PATH_MAX + 128> line;
  std::snprintf(line.data(), line.size(), "%s %d %ld %s %s\n", plan.program.data(), getpid(),
                number, call, path);
  write_text(file.data(), line.data(), O_APPEND);
}

void take_line(const char* word, const char* value, const char* program) {
  const auto is = [&](const char* name) { return std::strcmp(word, name) == 0; };
  if (is("program")) {
    plan.active = plan.active && std::strcmp(value, program) == 0;
  } else if (is("under")) {
    copy(plan.under, value);
  } else if (is("calls")) {
    std::snprintf(plan.calls.data(), plan.calls.size(), " %s ", value);
  } else if (is("at")) {
    plan.at = std::atol(value);
  } else if (is("from")) {
    plan.from = std::atol(value);
  } else if (is("next")) {
    copy(plan.next, value);
  } else if (is("while")) {
    copy(plan.only_while, value);
  } else if (is("do")) {
    copy(plan.action, value);
  } else if (is("log")) {
    copy(plan.log, value);
  } else if (is("trace")) {
    copy(plan.trace, value);
  } else {
    std::fprintf(stderr, "failing_calls: what is \"%s\"?\n", word);
    _exit(2);
  }
}

__attribute__((constructor)) void read_plan() {
  const char* path = std::getenv("FAILING_CALLS");
  Text text;
  if (path == nullptr || !read_text(path, text)) return;
  Text self{};
  if (readlink("/proc/self/exe", self.data(), self.size() - 1) < 0) return;
  const char* program = std::strrchr(self.data(), '/') + 1;
  copy(plan.program, program);
  plan.active = true;
  char* rest = nullptr;
  for (char* line = strtok_r(text.data(), "\n", &rest); line != nullptr;
       line = strtok_r(nullptr, "\n", &rest)) {
    char* value = std::strchr(line, ' ');
    if (value == nullptr) continue;
    *value = '\0';
    take_line(line, value + 1, program);
  }
  Text number;
  if (plan.active && plan.next[0] != '\0' && read_text(plan.next.data(), number)) {
    plan.at = std::atol(number.data());
  }
}

__attribute__((destructor)) void tell_count() {
  if (plan.active) add_line(plan.log, counted.load(), "end", "");
}

bool below_folder(const char* path) {
  const std::size_t size = std::strlen(plan.under.data());
  return std::strncmp(path, plan.under.data(), size) == 0 &&
         (path[size] == '/' || path[size] == '\0');
}

bool is_counted(const char* call) {
  if (plan.calls[0] == '\0') return true;
  std::array<char, 32> word;
  std::snprintf(word.data(), word.size(), " %s ", call);
  return std::strstr(plan.calls.data(), word.data()) != nullptr;
}

int error_of_action() {
  const auto is = [](const char* name) { return std::strcmp(plan.action.data(), name) == 0; };
  if (is("ENOSPC")) return ENOSPC;
  if (is("EIO")) return EIO;
  if (is("EDQUOT")) return EDQUOT;
  if (is("EROFS")) return EROFS;
  if (is("EINTR")) return EINTR;
  return 0;
}

void hang() {
  for (;;) pause();
}

void rest(long milliseconds) {
  timespec left{milliseconds / 1000, milliseconds % 1000 * 1'000'000};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

enum class Verdict { kGoOn, kFail, kShort, kLie };

// Counts the call and decides what becomes of it; sets errno for kFail.
Verdict judge(const char* call, const char* path) {
  if (!plan.active || !below_folder(path) || !is_counted(call)) return Verdict::kGoOn;
  const long number = counted.fetch_add(1) + 1;
  add_line(plan.trace, number, call, path);
  const bool hit = number == plan.at || (plan.from > 0 && number >= plan.from);
  if (!hit) return Verdict::kGoOn;
  if (plan.only_while[0] != '\0' && access(plan.only_while.data(), F_OK) != 0) {
    return Verdict::kGoOn;
  }
  if (plan.next[0] != '\0') {
    std::array<char, 32> text;
    std::snprintf(text.data(), text.size(), "%ld\n", number + 1);
    write_text(plan.next.data(), text.data(), O_TRUNC);
  }
  add_line(plan.log, number, call, path);
  if (std::strcmp(plan.action.data(), "kill") == 0) kill(getpid(), SIGKILL);
  if (std::strcmp(plan.action.data(), "stop") == 0) kill(getpid(), SIGSTOP);
  if (std::strcmp(plan.action.data(), "hang") == 0) hang();
  if (std::strncmp(plan.action.data(), "slow ", 5) == 0) rest(std::atol(plan.action.data() + 5));
  if (std::strcmp(plan.action.data(), "short") == 0) return Verdict::kShort;
  if (std::strcmp(plan.action.data(), "lie") == 0) return Verdict::kLie;
  errno = error_of_action();
  return errno == 0 ? Verdict::kGoOn : Verdict::kFail;
}

Verdict judge(const char* call, int fd) {
  if (!plan.active) return Verdict::kGoOn;
  std::array<char, 64> link;
  std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", fd);
  Text path{};
  if (readlink(link.data(), path.data(), path.size() - 1) < 0) return Verdict::kGoOn;
  return judge(call, path.data());
}

// A relative path as it is: the programs under test use absolute ones.
template <typename Real>
int changed(Verdict verdict, Real go_on) {
  if (verdict == Verdict::kFail) return -1;
  return verdict == Verdict::kLie ? 0 : go_on();
}

template <typename Real>
ssize_t written(Verdict verdict, size_t size, Real go_on) {
  if (verdict == Verdict::kFail) return -1;
  if (verdict == Verdict::kLie) return static_cast<ssize_t>(size);
  return go_on(verdict == Verdict::kShort && size > 1 ? size / 2 : size);
}

const char* sync_call(int fd) {
  struct stat found {};
  return fstat(fd, &found) == 0 && S_ISDIR(found.st_mode) ? "syncdir" : "sync";
}

template <typename Real>
int opened(const char* path, int flags, Real go_on) {
  const bool creates = (flags & O_CREAT) != 0;
  const bool is_folder = (flags & O_DIRECTORY) != 0;
  if (!creates && (is_folder || plan.calls[0] == '\0')) return go_on();
  const Verdict verdict = judge(creates ? "create" : "open", path);
  return verdict == Verdict::kFail ? -1 : go_on();
}

mode_t mode_of(int flags, va_list arguments) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
}

}  // namespace

// The calls themselves. Their signatures are libc's.
extern "C" {

int open(const char* path, int flags, ...) {
  static const auto next = real<int (*)(const char*, int, ...)>("open");
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return opened(path, flags, [&] { return next(path, flags, mode); });
}

int open64(const char* path, int flags, ...) {
  static const auto next = real<int (*)(const char*, int, ...)>("open64");
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return opened(path, flags, [&] { return next(path, flags, mode); });
}

int openat(int folder, const char* path, int flags, ...) {
  static const auto next = real<int (*)(int, const char*, int, ...)>("openat");
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return opened(path, flags, [&] { return next(folder, path, flags, mode); });
}

ssize_t write(int fd, const void* bytes, size_t size) {
  static const auto next = real<ssize_t (*)(int, const void*, size_t)>("write");
  return written(judge("write", fd), size, [&](size_t part) { return next(fd, bytes, part); });
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  static const auto next = real<ssize_t (*)(int, const void*, size_t, off_t)>("pwrite");
  return written(judge("write", fd), size,
                 [&](size_t part) { return next(fd, bytes, part, offset); });
}

ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t offset) {
  static const auto next = real<ssize_t (*)(int, const void*, size_t, off64_t)>("pwrite64");
  return written(judge("write", fd), size,
                 [&](size_t part) { return next(fd, bytes, part, offset); });
}

// A short one writes its first part, if there are several.
ssize_t writev(int fd, const iovec* parts, int count) {
  static const auto next = real<ssize_t (*)(int, const iovec*, int)>("writev");
  size_t size = 0;
  for (int i = 0; i < count; ++i) size += parts[i].iov_len;
  return written(judge("write", fd), size, [&](size_t part) {
    return next(fd, parts, part < size && count > 1 ? 1 : count);
  });
}

int fsync(int fd) {
  static const auto next = real<int (*)(int)>("fsync");
  return changed(judge(sync_call(fd), fd), [&] { return next(fd); });
}

int fdatasync(int fd) {
  static const auto next = real<int (*)(int)>("fdatasync");
  return changed(judge(sync_call(fd), fd), [&] { return next(fd); });
}

int ftruncate(int fd, off_t size) {
  static const auto next = real<int (*)(int, off_t)>("ftruncate");
  return changed(judge("truncate", fd), [&] { return next(fd, size); });
}

int ftruncate64(int fd, off64_t size) {
  static const auto next = real<int (*)(int, off64_t)>("ftruncate64");
  return changed(judge("truncate", fd), [&] { return next(fd, size); });
}

int rename(const char* from, const char* to) {
  static const auto next = real<int (*)(const char*, const char*)>("rename");
  return changed(judge("rename", to), [&] { return next(from, to); });
}

int unlink(const char* path) {
  static const auto next = real<int (*)(const char*)>("unlink");
  return changed(judge("remove", path), [&] { return next(path); });
}

int mkdir(const char* path, mode_t mode) {
  static const auto next = real<int (*)(const char*, mode_t)>("mkdir");
  return changed(judge("mkdir", path), [&] { return next(path, mode); });
}
}
