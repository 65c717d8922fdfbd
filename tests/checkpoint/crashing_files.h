// One folder on a disk that loses power at the n-th operation: what was not synced is lost, wholly
// or in part. The live state is in the real folder; lose_power() turns it into what a machine
// would find after the cut. Stricter than ext4: fsync of a file does not keep its name, only fsync
// of the folder does. One thread at a time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "model/base/files.h"
#include "model/base/philox.h"

namespace traind {

// What becomes of that which was not synced.
enum class Loss { kAll, kContent, kNames, kRandom };

class CrashingFiles final : public FileOps {
 public:
  // What is in the folder is on disk. `nth` counts from 1; 0 never.
  CrashingFiles(std::string folder, int nth);

  int operations() const { return count_; }
  bool is_dead() const { return dead_; }
  // Makes the folder what is found afterwards.
  void lose_power(Loss loss, RandomStream random);

  int create(const std::string& path) override;
  void write(int fd, std::span<const std::byte> bytes, const std::string& path) override;
  void sync(int fd, const std::string& path) override;
  void close(int fd) noexcept override;
  void rename(const std::string& from, const std::string& to) override;
  void remove(const std::string& path) override;
  void sync_directory(const std::string& path) override;

 private:
  struct File {
    std::string live;
    std::string synced;
  };
  using Names = std::map<std::string, std::shared_ptr<File>>;

  // Counts; from the n-th on throws Error(kIo) and nothing happens any more.
  void live_or_throw();
  void change(const std::function<void(Names&)>& change);

  const std::string folder_;
  const int nth_;
  int count_ = 0;
  bool dead_ = false;
  Names live_;
  Names synced_;
  std::vector<std::function<void(Names&)>> unsynced_changes_;
  std::map<int, std::shared_ptr<File>> open_;
};

// Passes everything on but the syncs it is told to forget: what a wrong writer, or a disk that
// lies, would do.
class ForgetfulFiles final : public FileOps {
 public:
  ForgetfulFiles(FileOps& files, bool syncs, bool syncs_directories)
      : files_(files), syncs_(syncs), syncs_directories_(syncs_directories) {}

  int create(const std::string& path) override { return files_.create(path); }
  void write(int fd, std::span<const std::byte> bytes, const std::string& path) override {
    files_.write(fd, bytes, path);
  }
  void sync(int fd, const std::string& path) override {
    if (syncs_) files_.sync(fd, path);
  }
  void close(int fd) noexcept override { files_.close(fd); }
  void rename(const std::string& from, const std::string& to) override { files_.rename(from, to); }
  void remove(const std::string& path) override { files_.remove(path); }
  void sync_directory(const std::string& path) override {
    if (syncs_directories_) files_.sync_directory(path);
  }

 private:
  FileOps& files_;
  const bool syncs_;
  const bool syncs_directories_;
};

}  // namespace traind
