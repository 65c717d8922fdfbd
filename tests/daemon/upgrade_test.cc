// Databases that older versions left open, keep every row, and go on; a newer one stays as it is.
#include <gmock/gmock.h>
#include <sqlite3.h>

#include <map>

#include "daemon/event_rows.h"
#include "daemon/history.h"
#include "daemon/outbox.h"
#include "daemon/run_rows.h"
#include "daemon/schema.h"
#include "daemon/store.h"
#include "daemon/training_rows.h"
#include "model/base/clock.h"
#include "tests/daemon/scratch.h"

namespace traind {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Cells = std::vector<std::string>;

std::string frozen(int version) {
  return content_of(TRAIND_TEST_DATA "/version" + std::to_string(version) + "_full.sql");
}

int newest_version() { return migrations().back().version; }

// Any query of any database, as text; a NULL is told from an empty text.
std::vector<Cells> all(const std::string& path, const std::string& sql) {
  sqlite3* db = nullptr;
  EXPECT_EQ(sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READONLY, nullptr), SQLITE_OK);
  sqlite3_stmt* statement = nullptr;
  EXPECT_EQ(sqlite3_prepare_v2(db, sql.c_str(), -1, &statement, nullptr), SQLITE_OK) << sql;
  std::vector<Cells> rows;
  while (statement != nullptr && sqlite3_step(statement) == SQLITE_ROW) {
    Cells& row = rows.emplace_back();
    for (int i = 0; i < sqlite3_column_count(statement); ++i) {
      const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, i));
      const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, i));
      row.push_back(sqlite3_column_type(statement, i) == SQLITE_NULL
                        ? "NULL"
                        : "=" + std::string(bytes, size));
    }
  }
  sqlite3_finalize(statement);
  sqlite3_close(db);
  return rows;
}

Cells names(const std::string& path, const std::string& sql) {
  Cells found;
  for (const Cells& row : all(path, sql)) found.push_back(row[0].substr(1));
  return found;
}

Cells tables_of(const std::string& path) {
  return names(path,
               "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'");
}

Cells columns_of(const std::string& path, const std::string& table) {
  return names(path, "SELECT name FROM pragma_table_info('" + table + "')");
}

// What a later version has taken away on purpose.
bool is_gone(const std::string& table, const std::string& column) {
  return table == "outbox" && column == "give_up_micros";
}

class Upgrade : public ::testing::TestWithParam<int> {
 protected:
  Upgrade() {
    for (const std::string& path : {before_, path_}) {
      Database(path, DatabaseAccess::kWrite).script(frozen(GetParam()));
    }
  }

  const Scratch scratch_;
  const std::string before_ = scratch_ / "before.db";
  const std::string path_ = scratch_ / "traind.db";
};

TEST_P(Upgrade, KeepsEveryRowOfEveryTable) {
  { const Store store(path_); }
  EXPECT_EQ(all(path_, "PRAGMA user_version")[0][0], "=" + std::to_string(newest_version()));
  EXPECT_EQ(all(path_, "PRAGMA integrity_check")[0][0], "=ok");
  EXPECT_THAT(all(path_, "PRAGMA foreign_key_check"), IsEmpty());
  for (const std::string& table : tables_of(before_)) {
    std::string columns;
    for (const std::string& column : columns_of(before_, table)) {
      if (!is_gone(table, column)) columns += (columns.empty() ? "" : ", ") + column;
    }
    const std::string sql = "SELECT " + columns + " FROM " + table + " ORDER BY " + columns;
    const auto rows = all(before_, sql);
    EXPECT_FALSE(rows.empty()) << table << " is frozen without a row";
    EXPECT_EQ(all(path_, sql), rows) << table;
  }
}

TEST_P(Upgrade, EndsWithTheTablesOfANewDatabase) {
  { const Store upgraded(path_); }
  { const Store fresh(scratch_ / "fresh.db"); }
  const char* const sql =
      "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name";
  EXPECT_EQ(all(path_, sql), all(scratch_ / "fresh.db", sql));
}

TEST_P(Upgrade, GoesOn) {
  Store store(path_);
  const RunRow done = store.read([](Database& db) { return find_run(db, "spelling"); });
  EXPECT_EQ(done.end_reason, EndReason::kAllEpochs);
  EXPECT_EQ(store.read([&](Database& db) { return epochs_of(db, done.run); }).size(), 2u);
  const RunRow run = store.read([](Database& db) { return find_run(db, "resume-2"); });
  EXPECT_EQ(run.state, RunState::kRunning);
  const std::int64_t last = store.read([&](Database& db) { return last_sequence(db, run.run); });
  const std::int64_t newest_mail =
      store.read([](Database& db) { return list_mails(db, 1).at(0).id; });
  store.write([&](Database& db) {
    MetricRow row;
    row.step = 300;
    row.loss = 0.5;
    put_metric(db, run.run, row, 1);
    EpochDone epoch;
    epoch.epoch = 3;
    epoch.samples = {{"s", "t", "o"}};
    put_epoch(db, run.run, epoch, 1);
    note(db, run.run, epoch, 1);
    OutboxRow mail;
    mail.run = run.run;
    mail.kind = "epoch";
    mail.key = "epoch-3";
    mail.recipient = "owner@localhost";
    put_mail(db, mail);
    EXPECT_EQ(db.last_id(), newest_mail + 1) << "a mail's number is never given twice";
    set_run_state(db, run.run, RunState::kCompleted, "all epochs are trained", 1);
  });
  EXPECT_EQ(store.read([&](Database& db) { return metrics_after(db, run.run, 0, 9); }).size(), 3u);
  EXPECT_GT(store.read([&](Database& db) { return last_sequence(db, run.run); }), last);
  const auto due = store.read([](Database& db) { return due_mail(db, unix_micros(), 1); });
  ASSERT_TRUE(due);
  EXPECT_EQ(due->message, "Subject: x\r\n\r\nbody\r\n");
  RunRow next;
  next.id = "id-next";
  next.name = "spelling";
  next.reason = "waits";
  store.write([&](Database& db) { insert_run(db, next); });
  EXPECT_EQ(next.run, 4);
  for (const char* view : {"run_list", "metric_list", "epoch_list", "event_list", "mail_list"}) {
    EXPECT_FALSE(all(path_, std::string("SELECT * FROM ") + view).empty()) << view;
  }
}

std::vector<int> versions() {
  std::vector<int> found;
  for (const Migration& step : migrations()) found.push_back(step.version);
  return found;
}

// A version without a frozen database fails: its script is empty.
INSTANTIATE_TEST_SUITE_P(FromVersion, Upgrade, ::testing::ValuesIn(versions()),
                         ::testing::PrintToStringParamName());

TEST(FrozenDatabase, IsOfTheVersionThatItsNameTells) {
  const Scratch scratch;
  for (const int version : versions()) {
    const std::string path = scratch / std::to_string(version);
    Database(path, DatabaseAccess::kWrite).script(frozen(version));
    EXPECT_EQ(all(path, "PRAGMA user_version")[0][0], "=" + std::to_string(version));
  }
}

std::map<std::string, std::string> files_in(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    files[entry.path().filename()] = content_of(entry.path());
  }
  return files;
}

void expect_refusal(const std::string& path, int version) {
  try {
    const Store store(path);
    FAIL() << "opened version " << version;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kConfig) << "nothing that a restart could mend";
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("version " + std::to_string(version)), HasSubstr("newer traind"),
                      HasSubstr("versions up to " + std::to_string(newest_version()))));
  }
}

class NewerDatabase : public ::testing::Test {
 protected:
  NewerDatabase() {
    const Store store(path_);
    Database(path_, DatabaseAccess::kWrite)
        .script("CREATE TABLE later (x); INSERT INTO later VALUES (1); PRAGMA user_version = " +
                std::to_string(newest_version() + 1));
  }

  const Scratch scratch_;
  const std::string path_ = scratch_ / "traind.db";
};

TEST_F(NewerDatabase, IsRefusedWithBothVersionsAndLeftAsItIs) {
  const auto before = files_in(scratch_.path());
  ASSERT_EQ(before.size(), 1u) << "nothing waits in a log";
  expect_refusal(path_, newest_version() + 1);
  EXPECT_EQ(content_of(path_), before.at("traind.db"));
}

// As a newer daemon leaves it that was killed: what it wrote last is in the log alone.
TEST_F(NewerDatabase, IsLeftAsItIsWithWhatWaitsInItsLog) {
  const Scratch copy;
  {
    Database db(path_, DatabaseAccess::kWrite);
    db.script("INSERT INTO later VALUES (2); PRAGMA user_version = " +
              std::to_string(newest_version() + 2));
    for (const char* ending : {"", "-wal"}) {
      std::filesystem::copy_file(path_ + ending, copy / (std::string("traind.db") + ending));
    }
  }
  const auto before = files_in(copy.path());
  ASSERT_FALSE(before.at("traind.db-wal").empty());
  expect_refusal(copy / "traind.db", newest_version() + 2);
  const auto after = files_in(copy.path());
  EXPECT_EQ(after.at("traind.db"), before.at("traind.db"));
  EXPECT_EQ(after.at("traind.db-wal"), before.at("traind.db-wal"));
}

}  // namespace
}  // namespace traind
