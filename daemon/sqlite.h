// SQLite as three small types: a connection, a running query, a transaction.
//
// A Database belongs to one thread at a time; whoever shares it holds a lock. Every method throws
// Error: kNoSpace (disk full), kCorrupt (damaged file), kIo (the rest of the world), kInternal
// (our SQL is wrong). Statements are prepared once per connection and kept.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

struct sqlite3;
struct sqlite3_stmt;

namespace traind {

enum class DatabaseAccess {
  kWrite,     // creates the file; WAL, synchronous=FULL; this connection alone checkpoints
  kReadOnly,  // beside the writer; never blocks it
};

struct Blob {
  std::string_view bytes;
};

// One execution of a statement; the statement is free again when this is destroyed.
class Query {
 public:
  Query(sqlite3* db, sqlite3_stmt* statement, bool* in_use);
  Query(Query&& other) noexcept;
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;
  Query& operator=(Query&&) = delete;
  ~Query();

  // Moves to the next row; false at the end.
  bool next();

  // Columns of the present row, from 0. Text of NULL is empty, numbers of NULL are 0; real() of
  // NULL is NaN, because a NaN is stored as NULL.
  bool null(int column) const;
  std::int64_t integer(int column) const;
  double real(int column) const;
  std::string text(int column) const;
  std::string blob(int column) const;

  void bind(int index, std::int64_t value);
  void bind(int index, int value) { bind(index, std::int64_t{value}); }
  void bind(int index, bool value) { bind(index, std::int64_t{value}); }
  void bind(int index, double value);
  void bind(int index, std::string_view value);
  void bind(int index, const std::string& value) { bind(index, std::string_view(value)); }
  void bind(int index, const char* value) { bind(index, std::string_view(value)); }
  void bind(int index, Blob value);
  void bind(int index, std::nullptr_t);

 private:
  sqlite3* db_;
  sqlite3_stmt* statement_;
  bool* in_use_;
};

class Database {
 public:
  Database(const std::string& path, DatabaseAccess access);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  const std::string& path() const { return path_; }

  // One statement with its parameters ?1, ?2, ... `sql` is a literal: it is kept by address.
  template <typename... Values>
  Query query(const char* sql, const Values&... values) {
    Query query = prepared(sql);
    int index = 0;
    (query.bind(++index, values), ...);
    return query;
  }
  // The same, run to its end; returns the number of changed rows.
  template <typename... Values>
  int run(const char* sql, const Values&... values) {
    Query statement = query(sql, values...);
    while (statement.next()) {
    }
    return changes();
  }
  // Any number of statements without parameters.
  void script(const std::string& sql);
  std::int64_t last_id() const;

 private:
  struct Closer {
    void operator()(sqlite3* db) const;
    void operator()(sqlite3_stmt* statement) const;
  };
  struct Kept {
    std::unique_ptr<sqlite3_stmt, Closer> statement;
    bool in_use = false;
  };

  Query prepared(const char* sql);
  int changes() const;

  std::string path_;
  std::unique_ptr<sqlite3, Closer> db_;
  std::unordered_map<const char*, Kept> kept_;  // nodes stay where they are: Query points at them
};

// Rolls back unless commit() was called. A writer takes the write lock at once; a reader sees one
// state of the database until the end.
class Transaction {
 public:
  Transaction(Database& db, DatabaseAccess access);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  // Durable when it returns (writer).
  void commit();

 private:
  Database& db_;
  bool open_ = true;
};

}  // namespace traind
