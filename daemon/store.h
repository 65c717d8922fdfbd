// The daemon's database: one connection that writes, a few that read beside it.
//
// Any thread may call it. write() waits for the lock and for the disk (synchronous=FULL); read()
// waits for nothing but a read of the file. SQLite before 3.51.3 can damage a WAL database when
// two connections write or checkpoint at once: here only one ever does.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "daemon/sqlite.h"

namespace traind {

class Store {
 public:
  // Creates or migrates the file. Throws what Database and migrate() throw.
  explicit Store(const std::string& path);

  const std::string& path() const { return path_; }

  // Runs `work(Database&)` as one transaction: all of it is durable when write() returns, or none
  // of it happened and what `work` threw goes on.
  template <typename Work>
  auto write(Work&& work) {
    const std::lock_guard lock(write_mutex_);
    Transaction transaction(writer_, DatabaseAccess::kWrite);
    if constexpr (std::is_void_v<decltype(work(writer_))>) {
      work(writer_);
      const Changing changing(changes_);
      transaction.commit();
    } else {
      auto result = work(writer_);
      const Changing changing(changes_);
      transaction.commit();
      return result;
    }
  }

  // To keep what was read: ask for the number first, then read; it is what the database holds as
  // long as unchanged_since(number). Nobody else writes to the file.
  std::uint64_t changes() const noexcept { return changes_.load(); }
  bool unchanged_since(std::uint64_t number) const noexcept {
    return number % 2 == 0 && number == changes_.load();
  }

  // Runs `work(Database&)` on one unchanging state of the database.
  template <typename Work>
  auto read(Work&& work) const {
    const Reader reader(*this);
    Transaction transaction(*reader.db, DatabaseAccess::kReadOnly);
    return work(*reader.db);
  }

 private:
  // The number is odd from before the first reader can see a commit until after the last one could
  // miss it.
  struct Changing {
    explicit Changing(std::atomic<std::uint64_t>& changes) : number(changes) { ++number; }
    ~Changing() { ++number; }
    Changing(const Changing&) = delete;
    Changing& operator=(const Changing&) = delete;
    std::atomic<std::uint64_t>& number;
  };

  // A reading connection, lent for the time of one read().
  struct Reader {
    explicit Reader(const Store& from) : store(from), db(from.take_reader()) {}
    ~Reader() { store.give_back(std::move(db)); }
    const Store& store;
    std::unique_ptr<Database> db;
  };

  std::unique_ptr<Database> take_reader() const;
  void give_back(std::unique_ptr<Database> reader) const;

  const std::string path_;
  std::mutex write_mutex_;
  Database writer_;  // guarded by write_mutex_
  std::atomic<std::uint64_t> changes_{0};
  mutable std::mutex readers_mutex_;
  mutable std::vector<std::unique_ptr<Database>> idle_readers_;  // guarded by readers_mutex_
};

}  // namespace traind
