#include "model/base/files.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <thread>

#include "model/base/error.h"
#include "tests/base/scratch_folder.h"

namespace traind {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

// Kind and message of what `call` throws; fails the test if nothing is thrown.
template <typename Call>
Error error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return {ErrorKind::kInternal, ""};
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// Writes down what is done, and fails the operation whose name is `failing`.
class RecordingFiles final : public FileOps {
 public:
  int create(const std::string& path) override {
    note("create");
    return posix_files().create(path);
  }
  void write(int fd, std::span<const std::byte> bytes, const std::string& path) override {
    note("write");
    posix_files().write(fd, bytes, path);
  }
  void sync(int fd, const std::string& path) override {
    note("sync");
    posix_files().sync(fd, path);
  }
  void close(int fd) noexcept override {
    done.emplace_back("close");
    posix_files().close(fd);
  }
  void rename(const std::string& from, const std::string& to) override {
    note("rename");
    posix_files().rename(from, to);
  }
  void remove(const std::string& path) override {
    note("remove");
    posix_files().remove(path);
  }
  void sync_directory(const std::string& path) override {
    note("sync_directory");
    posix_files().sync_directory(path);
  }

  std::vector<std::string> done;
  std::string failing;

 private:
  void note(const std::string& operation) {
    done.push_back(operation);
    if (operation == failing) throw system_error(operation + " failed", EIO);
  }
};

TEST(WriteDurably, SyncsTheFileBeforeItsNameAndTheFolderAfter) {
  const ScratchFolder folder;
  RecordingFiles files;
  write_durably(files, folder / "a", "content");
  EXPECT_THAT(files.done,
              ElementsAre("create", "write", "sync", "close", "rename", "sync_directory"));
}

TEST(WriteDurably, WritesPartsOneAfterAnother) {
  const ScratchFolder folder;
  const std::string first = "one,";
  const std::string second(300'000, 'x');
  const std::vector<std::span<const std::byte>> parts = {bytes_of(first), {}, bytes_of(second)};
  write_durably(posix_files(), folder / "a", parts);
  EXPECT_EQ(read_whole(folder / "a"), first + second);
  EXPECT_THAT(names_in(folder.path()), ElementsAre("a"));
}

TEST(WriteDurably, ReplacesTheOldContentOnlyWhenWhole) {
  for (const std::string failing : {"create", "write", "sync", "rename"}) {
    SCOPED_TRACE(failing);
    const ScratchFolder folder;
    write_durably(posix_files(), folder / "a", "old");
    RecordingFiles files;
    files.failing = failing;
    const Error error = error_of([&] { write_durably(files, folder / "a", "new"); });
    EXPECT_EQ(error.kind(), ErrorKind::kIo);
    EXPECT_EQ(read_whole(folder / "a"), "old");
    EXPECT_THAT(names_in(folder.path()), ElementsAre("a"));
  }
}

TEST(WriteDurably, GivesUpTheFileAfterAFailedSync) {
  const ScratchFolder folder;
  RecordingFiles files;
  files.failing = "sync";
  error_of([&] { write_durably(files, folder / "a", "new"); });
  EXPECT_THAT(files.done, ElementsAre("create", "write", "sync", "close", "remove"));
}

TEST(WriteDurably, RemovesALeftoverInsteadOfWritingIntoIt) {
  const ScratchFolder folder;
  write_durably(posix_files(), folder / "a.tmp", "left by a crash");
  const int old_file = ::open((folder / "a.tmp").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(old_file, 0);
  write_durably(posix_files(), folder / "a", "new");
  struct stat old_status {};
  ASSERT_EQ(::fstat(old_file, &old_status), 0);
  ::close(old_file);
  EXPECT_EQ(old_status.st_size, 15);
  EXPECT_EQ(read_whole(folder / "a"), "new");
  EXPECT_THAT(names_in(folder.path()), ElementsAre("a"));
}

TEST(WriteDurably, SaysWhichFileAndWhy) {
  const ScratchFolder folder;
  const Error error = error_of([&] { write_durably(posix_files(), folder / "missing/a", "new"); });
  EXPECT_EQ(error.kind(), ErrorKind::kIo);
  EXPECT_THAT(error.what(), HasSubstr(folder / "missing/a"));
  EXPECT_THAT(error.what(), HasSubstr("No such file or directory"));
}

TEST(WriteDurably, MakesFilesThatOthersCannotRead) {
  const ScratchFolder folder;
  const mode_t before = ::umask(0);
  write_durably(posix_files(), folder / "a", "new");
  ::umask(before);
  struct stat status {};
  ASSERT_EQ(::stat((folder / "a").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
}

TEST(PosixFiles, CallsAFullDiskNoSpace) {
  const int fd = posix_files().create("/dev/full");
  const Error error = error_of([&] { posix_files().write(fd, bytes_of("x"), "/dev/full"); });
  posix_files().close(fd);
  EXPECT_EQ(error.kind(), ErrorKind::kNoSpace);
  EXPECT_THAT(error.what(), HasSubstr("/dev/full"));
}

TEST(PosixFiles, ReportsWhatAShortWriteCouldNotFinish) {
  const ScratchFolder folder;
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{10'000, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Error error =
      error_of([&] { write_durably(posix_files(), folder / "a", std::string(64'000, 'x')); });
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(error.kind(), ErrorKind::kIo);
  EXPECT_THAT(error.what(), HasSubstr("File too large"));
  EXPECT_THAT(names_in(folder.path()), IsEmpty());
}

// A pipe that is drained slowly while a timer interrupts: writes come back short or with EINTR.
TEST(PosixFiles, GoesOnAfterInterruptionsAndShortWrites) {
  const ScratchFolder folder;
  const std::string pipe = folder / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  std::string sent(3'000'000, '\0');
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 31 >> 3);

  sigset_t alarm;
  ::sigemptyset(&alarm);
  ::sigaddset(&alarm, SIGALRM);
  struct sigaction interrupt {};
  struct sigaction before {};
  interrupt.sa_handler = [](int) {};
  ASSERT_EQ(::sigaction(SIGALRM, &interrupt, &before), 0);

  std::string received;
  std::thread reader([&] {
    ::pthread_sigmask(SIG_BLOCK, &alarm, nullptr);
    const int fd = ::open(pipe.c_str(), O_RDONLY | O_CLOEXEC);
    char piece[997];
    for (ssize_t got = 0; (got = ::read(fd, piece, sizeof piece)) > 0;) {
      received.append(piece, static_cast<std::size_t>(got));
    }
    ::close(fd);
  });
  const itimerval often{{0, 100}, {0, 100}};
  ::setitimer(ITIMER_REAL, &often, nullptr);
  const int fd = posix_files().create(pipe);
  posix_files().write(fd, bytes_of(sent), pipe);
  posix_files().close(fd);
  const itimerval never{};
  ::setitimer(ITIMER_REAL, &never, nullptr);
  reader.join();
  ::sigaction(SIGALRM, &before, nullptr);
  EXPECT_EQ(received, sent);
}

TEST(ReadWhole, GivesBackEveryByte) {
  const ScratchFolder folder;
  std::string content(100'003, '\0');
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 7);
  for (const std::size_t size : {0, 1, 4095, 4096, 4097, 100'003}) {
    write_durably(posix_files(), folder / "a", content.substr(0, size));
    EXPECT_EQ(read_whole(folder / "a"), content.substr(0, size));
  }
}

TEST(ReadWhole, ReadsFilesWhoseSizeIsNotKnownBefore) {
  EXPECT_THAT(read_whole("/proc/self/status"), HasSubstr("Pid:"));
}

TEST(ReadWhole, RefusesAFileAboveTheLimit) {
  const ScratchFolder folder;
  write_durably(posix_files(), folder / "a", "12345");
  EXPECT_EQ(read_whole(folder / "a", 5), "12345");
  EXPECT_EQ(error_of([&] { read_whole(folder / "a", 4); }).kind(), ErrorKind::kData);
  EXPECT_EQ(error_of([&] { read_whole("/dev/zero", 100'000); }).kind(), ErrorKind::kData);
}

TEST(ReadWhole, TellsAMissingFileFromAnUnreadableOne) {
  const ScratchFolder folder;
  EXPECT_EQ(error_of([&] { read_whole(folder / "none"); }).kind(), ErrorKind::kNotFound);
  EXPECT_EQ(error_of([&] { read_whole(folder.path()); }).kind(), ErrorKind::kIo);
}

TEST(MakeFolders, MakesParentsAndAcceptsWhatIsThere) {
  const ScratchFolder folder;
  make_folders(folder / "a/b//c/");
  make_folders(folder / "a/b/c");
  EXPECT_TRUE(std::filesystem::is_directory(folder / "a/b/c"));
  EXPECT_EQ(std::filesystem::status(folder / "a").permissions() & std::filesystem::perms(07),
            std::filesystem::perms::none);
}

TEST(MakeFolders, RefusesToGoThroughAFile) {
  const ScratchFolder folder;
  write_durably(posix_files(), folder / "a", "file");
  EXPECT_EQ(error_of([&] { make_folders(folder / "a"); }).kind(), ErrorKind::kIo);
  const Error error = error_of([&] { make_folders(folder / "a/b"); });
  EXPECT_EQ(error.kind(), ErrorKind::kIo);
  EXPECT_THAT(error.what(), HasSubstr("is a file"));
}

TEST(FreeBytes, IsThatOfTheFileSystem) {
  const ScratchFolder folder;
  EXPECT_GT(free_bytes(folder.path()), 0u);
  EXPECT_EQ(error_of([&] { free_bytes(folder / "none"); }).kind(), ErrorKind::kIo);
}

}  // namespace
}  // namespace traind
