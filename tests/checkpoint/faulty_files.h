// The real files, except that operations fail as told: the n-th one, or every one from it on.
// Counts operations that can fail. Does not sync for real: with the power on it shows nothing, and
// it is slow. One thread at a time.
#pragma once

#include <cerrno>
#include <set>
#include <string>

#include "model/base/error.h"
#include "model/base/files.h"

namespace traind {

struct Fault {
  int errno_value = EIO;
  bool is_short = false;  // a write that fails leaves half of its bytes
  bool lasting = false;   // everything after it fails too
};

class FaultyFiles final : public FileOps {
 public:
  // `nth` counts from 1; 0 fails never.
  FaultyFiles(int nth, Fault fault) : nth_(nth), fault_(fault) {}

  // From now on nothing fails.
  void heal() { nth_ = 0; }

  int operations() const { return count_; }
  int syncs() const { return syncs_; }
  // Was a file written, synced or renamed into place after its fsync had failed?
  bool trusted_a_failed_sync() const { return trusted_; }

  int create(const std::string& path) override {
    if (is_struck()) fail("create " + path);
    distrusted_.erase(path);
    return posix_files().create(path);
  }
  void write(int fd, std::span<const std::byte> bytes, const std::string& path) override {
    trusted_ = trusted_ || distrusted_.contains(path);
    if (is_struck()) {
      if (fault_.is_short) posix_files().write(fd, bytes.first(bytes.size() / 2), path);
      fail("write " + path);
    }
    posix_files().write(fd, bytes, path);
  }
  void sync(int, const std::string& path) override {
    trusted_ = trusted_ || distrusted_.contains(path);
    if (is_struck()) {
      distrusted_.insert(path);
      fail("sync " + path);
    }
    ++syncs_;
  }
  void close(int fd) noexcept override { posix_files().close(fd); }
  void rename(const std::string& from, const std::string& to) override {
    trusted_ = trusted_ || distrusted_.contains(from);
    if (is_struck()) fail("rename " + from);
    posix_files().rename(from, to);
  }
  void remove(const std::string& path) override {
    if (is_struck()) fail("remove " + path);
    distrusted_.erase(path);
    posix_files().remove(path);
  }
  void sync_directory(const std::string& path) override {
    if (is_struck()) fail("sync " + path);
  }

 private:
  // Counts this operation; is it to fail?
  bool is_struck() {
    ++count_;
    return nth_ > 0 && (fault_.lasting ? count_ >= nth_ : count_ == nth_);
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw system_error(what, fault_.errno_value);
  }

  int nth_;
  const Fault fault_;
  int count_ = 0;
  int syncs_ = 0;
  bool trusted_ = false;
  std::set<std::string> distrusted_;
};

}  // namespace traind
