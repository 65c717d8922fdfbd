#include "daemon/sqlite.h"

#include <sqlite3.h>

#include <limits>
#include <utility>

#include "model/base/error.h"

namespace traind {
namespace {

ErrorKind kind_of(int code) {
  switch (code & 0xFF) {
    case SQLITE_FULL:
      return ErrorKind::kNoSpace;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorKind::kCorrupt;
    case SQLITE_ERROR:
    case SQLITE_MISUSE:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
      return ErrorKind::kInternal;
    default:
      return ErrorKind::kIo;
  }
}

[[noreturn]] void fail(sqlite3* db, int code, const std::string& what) {
  const char* name = db == nullptr ? nullptr : sqlite3_db_filename(db, "main");
  std::string message = std::string(name == nullptr ? "database" : name) + ": " + what + ": " +
                        (db == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(db));
  if ((code & 0xFF) == SQLITE_FULL) message += "; free space on that file system";
  throw Error(kind_of(code), message);
}

void check(sqlite3* db, int code, const char* what) {
  if (code != SQLITE_OK) fail(db, code, what);
}

}  // namespace

Query::Query(sqlite3* db, sqlite3_stmt* statement, bool* in_use)
    : db_(db), statement_(statement), in_use_(in_use) {
  *in_use_ = true;
}

Query::Query(Query&& other) noexcept
    : db_(other.db_),
      statement_(std::exchange(other.statement_, nullptr)),
      in_use_(other.in_use_) {}

Query::~Query() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
  *in_use_ = false;
}

bool Query::next() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  fail(db_, code, sqlite3_sql(statement_));
}

bool Query::null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

std::int64_t Query::integer(int column) const { return sqlite3_column_int64(statement_, column); }

double Query::real(int column) const {
  return null(column) ? std::numeric_limits<double>::quiet_NaN()
                      : sqlite3_column_double(statement_, column);
}

std::string Query::text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  if (text == nullptr) return {};
  return {text, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::string Query::blob(int column) const {
  const void* bytes = sqlite3_column_blob(statement_, column);
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes),
          static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

void Query::bind(int index, std::int64_t value) {
  check(db_, sqlite3_bind_int64(statement_, index, value), "bind");
}

void Query::bind(int index, double value) {
  check(db_, sqlite3_bind_double(statement_, index, value), "bind");
}

// The text may be a temporary of the caller's expression, so SQLite makes its own copy.
void Query::bind(int index, std::string_view value) {
  check(db_,
        sqlite3_bind_text64(statement_, index, value.data() == nullptr ? "" : value.data(),
                            value.size(), SQLITE_TRANSIENT, SQLITE_UTF8),
        "bind");
}

void Query::bind(int index, Blob value) {
  check(db_,
        sqlite3_bind_blob64(statement_, index,
                            value.bytes.data() == nullptr ? "" : value.bytes.data(),
                            value.bytes.size(), SQLITE_TRANSIENT),
        "bind");
}

void Query::bind(int index, std::nullptr_t) {
  check(db_, sqlite3_bind_null(statement_, index), "bind");
}

void Database::Closer::operator()(sqlite3* db) const { sqlite3_close_v2(db); }
void Database::Closer::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Database::Database(const std::string& path, DatabaseAccess access) : path_(path) {
  const int flags = access == DatabaseAccess::kWrite ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
                                                     : SQLITE_OPEN_READONLY;
  sqlite3* db = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &db,
                                   flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  db_.reset(db);
  if (code != SQLITE_OK) fail(db, code, "open");
  // Somebody's sqlite3 shell may hold a lock for a moment.
  sqlite3_busy_timeout(db, 5000);
  if (access == DatabaseAccess::kWrite) {
    script("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;");
  } else {
    script("PRAGMA query_only = ON; PRAGMA wal_autocheckpoint = 0;");
  }
}

Database::~Database() = default;

Query Database::prepared(const char* sql) {
  Kept& kept = kept_[sql];
  if (kept.in_use) {
    throw Error(ErrorKind::kInternal, std::string("a query is used inside itself: ") + sql);
  }
  if (!kept.statement) {
    sqlite3_stmt* statement = nullptr;
    const int code =
        sqlite3_prepare_v3(db_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (code != SQLITE_OK) fail(db_.get(), code, sql);
    kept.statement.reset(statement);
  }
  return {db_.get(), kept.statement.get(), &kept.in_use};
}

void Database::script(const std::string& sql) {
  const int code = sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(db_.get(), code, sql.substr(0, 60));
}

std::int64_t Database::last_id() const { return sqlite3_last_insert_rowid(db_.get()); }
int Database::changes() const { return sqlite3_changes(db_.get()); }

Transaction::Transaction(Database& db, DatabaseAccess access) : db_(db) {
  db_.run(access == DatabaseAccess::kWrite ? "BEGIN IMMEDIATE" : "BEGIN");
}

Transaction::~Transaction() {
  if (!open_) return;
  try {
    db_.run("ROLLBACK");
  } catch (const Error&) {
    // SQLite has rolled back by itself, which it does after some failures (disk full).
  }
}

void Transaction::commit() {
  db_.run("COMMIT");
  open_ = false;
}

}  // namespace traind
