#include "daemon/store.h"

#include <gmock/gmock.h>

#include <array>
#include <atomic>
#include <cmath>
#include <limits>
#include <regex>

#include "daemon/event_rows.h"
#include "daemon/history.h"
#include "daemon/messages.h"
#include "daemon/outbox.h"
#include "daemon/run_rows.h"
#include "daemon/schema.h"
#include "daemon/training_rows.h"
#include "model/base/clock.h"
#include "tests/daemon/scratch.h"

namespace traind {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::int64_t add_run(Store& store, const std::string& name, RunState state = RunState::kQueued) {
  RunRow run;
  run.id = "id-" + name;
  run.name = name;
  run.reason = "waits";
  run.epochs = 3;
  run.state = state;
  return store.write([&](Database& db) {
    insert_run(db, run);
    return run.run;
  });
}

std::int64_t count(const Store& store, const char* sql) {
  return store.read([&](Database& db) {
    Query query = db.query(sql);
    query.next();
    return query.integer(0);
  });
}

TEST(Store, RewritesARowThatIsToldAgain) {
  const Scratch scratch;
  Store store(scratch / "traind.db");
  const std::int64_t run = add_run(store, "a");
  MetricRow row;
  row.step = 100;
  row.loss = 2;
  EpochDone epoch;
  epoch.samples = {{"s", "t", "o"}};
  for (int i = 0; i < 3; ++i) {
    row.loss /= 2;
    store.write([&](Database& db) {
      put_metric(db, run, row, 1);
      put_epoch(db, run, epoch, 1);
      note(db, run, row, 1);
      note(db, run, epoch, 1);
    });
  }
  const auto rows = store.read([&](Database& db) { return metrics_after(db, run, 0, 10); });
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].loss, 0.25);
  EXPECT_EQ(count(store, "SELECT count(*) FROM epochs"), 1);
  EXPECT_EQ(count(store, "SELECT count(*) FROM samples"), 1);
  EXPECT_EQ(count(store, "SELECT count(*) FROM events"), 2);
}

TEST(Store, KeepsNothingOfATransactionThatFails) {
  const Scratch scratch;
  Store store(scratch / "traind.db");
  const std::int64_t run = add_run(store, "a");
  EXPECT_THROW(store.write([&](Database& db) {
    put_metric(db, run, MetricRow{}, 1);
    throw Error(ErrorKind::kInternal, "in the middle");
  }),
               Error);
  EXPECT_EQ(count(store, "SELECT count(*) FROM metrics"), 0);
}

TEST(Store, RefusesARowOfNoRun) {
  const Scratch scratch;
  Store store(scratch / "traind.db");
  EXPECT_THROW(store.write([](Database& db) { put_metric(db, 99, MetricRow{}, 1); }), Error);
}

TEST(Store, KeepsANumberThatIsNone) {
  const Scratch scratch;
  Store store(scratch / "traind.db");
  const std::int64_t run = add_run(store, "a");
  MetricRow row;
  row.loss = std::numeric_limits<double>::quiet_NaN();
  row.gradient_norm = std::numeric_limits<double>::infinity();
  store.write([&](Database& db) { put_metric(db, run, row, 1); });
  const auto rows = store.read([&](Database& db) { return metrics_after(db, run, -1, 10); });
  EXPECT_TRUE(std::isnan(rows.at(0).loss));
  EXPECT_TRUE(std::isinf(rows.at(0).gradient_norm));
}

TEST(Store, SequenceGrowsOverReopeningAndPruning) {
  const Scratch scratch;
  std::int64_t run = 0;
  {
    Store store(scratch / "traind.db");
    run = add_run(store, "a");
    store.write([&](Database& db) {
      for (int i = 0; i < 5; ++i) put_event(db, run, 1, "notice", "", "n", "");
    });
    store.write([](Database& db) { db.run("DELETE FROM events"); });
  }
  Store store(scratch / "traind.db");
  store.write([&](Database& db) { put_event(db, run, 1, "notice", "", "n", ""); });
  const auto events = store.read([&](Database& db) { return events_after(db, run, 0, 10); });
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].sequence, 6);
}

TEST(Store, RefusesSomebodyElsesDatabaseAndWhatIsNone) {
  const Scratch scratch;
  Database(scratch / "other.db", DatabaseAccess::kWrite).script("CREATE TABLE theirs (x)");
  EXPECT_THROW(Store(scratch / "other.db"), Error);
  write_file(scratch / "text.db", std::string(5000, 'x'));
  try {
    const Store store(scratch / "text.db");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
  }
}

TEST(Store, OpensADatabaseOfVersionOneWithAllThatIsInIt) {
  const Scratch scratch;
  Database(scratch / "traind.db", DatabaseAccess::kWrite)
      .script(content_of(TRAIND_TEST_DATA "/version1.sql"));
  Store store(scratch / "traind.db");
  const RunRow run = store.read([](Database& db) { return find_run(db, "spelling"); });
  EXPECT_EQ(run.state, RunState::kCompleted);
  EXPECT_EQ(run.started.device_name, "A processor");
  EXPECT_EQ(store.read([&](Database& db) { return epochs_of(db, run.run); }).at(0).samples.size(),
            1u);
  const auto rows = store.read([&](Database& db) { return metrics_after(db, run.run, 0, 9); });
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_FALSE(rows[0].gpu.known());
  const EpochDone epoch = *store.read([&](Database& db) { return newest_epoch(db, run.run); });
  EXPECT_TRUE(std::isnan(epoch.scores.character_error_rate));
  EXPECT_TRUE(std::isnan(epoch.scores.bleu));
  EXPECT_EQ(epoch.measure, Measure::kLoss);
  EXPECT_EQ(run.end_reason, EndReason::kAllEpochs);
  EXPECT_GT(add_run(store, "next"), run.run);
}

TEST(Store, OpensADatabaseOfVersionThreeWithItsMails) {
  const Scratch scratch;
  Database(scratch / "traind.db", DatabaseAccess::kWrite)
      .script(content_of(TRAIND_TEST_DATA "/version3.sql"));
  Store store(scratch / "traind.db");
  const auto mails = store.read([](Database& db) { return list_mails(db, 10); });
  ASSERT_EQ(mails.size(), 4u);
  EXPECT_EQ(mails[0].id, 12) << "a number is never given twice";
  EXPECT_EQ(mails[0].state, "waiting");
  EXPECT_FALSE(mails[0].perhaps_sent) << "never tried";
  EXPECT_TRUE(mails[1].perhaps_sent) << "tried, and nobody knows how it ended";
  EXPECT_EQ(mails[2].state, "dead");
  EXPECT_EQ(mails[3].state, "sent");
  const auto due = store.read([](Database& db) { return due_mail(db, unix_micros(), 1); });
  ASSERT_TRUE(due);
  EXPECT_EQ(due->key, "epoch-1") << "the earlier one of the run";
  EXPECT_EQ(due->message, "Subject: epoch 1\r\n\r\n");
  const std::int64_t next = store.write([](Database& db) {
    db.run("DELETE FROM outbox");
    OutboxRow mail;
    mail.key = "new";
    mail.recipient = "a@b.example";
    put_mail(db, mail);
    return db.last_id();
  });
  EXPECT_EQ(next, 13);
}

TEST(Store, MigratesStepByStepAndEachStepWhole) {
  const Scratch scratch;
  const Migration one = migrations()[0];
  const std::array good = {one, Migration{2, "ALTER TABLE runs ADD COLUMN note TEXT"}};
  const std::array bad = {one, good[1], Migration{3, "CREATE TABLE extra (x); SELECT nonsense"}};
  Database db(scratch / "traind.db", DatabaseAccess::kWrite);
  migrate(db, good);
  EXPECT_THROW(migrate(db, bad), Error);
  Query version = db.query("PRAGMA user_version");
  version.next();
  EXPECT_EQ(version.integer(0), 2);
  EXPECT_FALSE(db.query("SELECT 1 FROM sqlite_schema WHERE name = 'extra'").next());
}

// A watcher that was told of an event and then asks for the status must not get an older one.
TEST(Store, WhatWasReadIsOutOfDateBeforeAnybodyCanSeeWhy) {
  const Scratch scratch;
  Store store(scratch / "traind.db");
  store.write([](Database& db) { db.run("CREATE TABLE counter AS SELECT 0 AS value"); });
  const auto value = [&] {
    return store.read([](Database& db) {
      Query row = db.query("SELECT value FROM counter");
      row.next();
      return row.integer(0);
    });
  };
  std::thread writer([&] {
    for (int i = 0; i < 1000; ++i) {
      store.write([](Database& db) { db.run("UPDATE counter SET value = value + 1"); });
    }
  });
  for (std::int64_t seen = 0; seen < 1000;) {
    const std::uint64_t before = store.changes();
    const std::int64_t first = value();
    seen = value();
    if (seen != first) {
      EXPECT_FALSE(store.unchanged_since(before)) << "at " << seen;
    }
  }
  writer.join();
  EXPECT_TRUE(store.unchanged_since(store.changes()));
}

TEST(Store, ReaderSeesOneStateWhileTheWriterGoesOn) {
  const Scratch scratch;
  Store store(scratch / "traind.db");
  const std::int64_t run = add_run(store, "a");
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (std::int64_t step = 1; step <= 200; ++step) {
      MetricRow row;
      row.step = step;
      store.write([&](Database& db) {
        put_metric(db, run, row, 1);
        set_run_position(db, run, 1, step, 0);
      });
    }
    done = true;
  });
  while (!done) {
    store.read([&](Database& db) {
      const auto newest = newest_metric(db, run);
      EXPECT_EQ(newest ? newest->step : 0, run_by_number(db, run)->step);
    });
  }
  writer.join();
  // Somebody with a shell of their own, in another process' shoes.
  Database reader(store.path(), DatabaseAccess::kReadOnly);
  EXPECT_THROW(reader.run("DELETE FROM metrics"), Error);
  Query list = reader.query("SELECT count(*) FROM metric_list");
  list.next();
  EXPECT_EQ(list.integer(0), 200);
}

TEST(Store, EveryViewCanBeRead) {
  const Scratch scratch;
  Store store(scratch / "traind.db");
  add_run(store, "a");
  for (const char* view : {"SELECT count(*) FROM run_list", "SELECT count(*) FROM epoch_list",
                           "SELECT count(*) FROM event_list", "SELECT count(*) FROM mail_list"}) {
    EXPECT_GE(count(store, view), 0);
  }
}

TEST(Store, AnswersTheQuestionsOfItsDescription) {
  const Scratch scratch;
  const Store store(scratch / "traind.db");
  Database reader(store.path(), DatabaseAccess::kReadOnly);
  // A question is an indented SELECT, alone or in the quotes of a shell command.
  const std::regex question("\n    (?:  \")?(SELECT[^;\"]*)");
  const std::string text = content_of(TRAIND_SCHEMA_DESCRIPTION);
  int questions = 0;
  for (std::sregex_iterator found(text.begin(), text.end(), question), end; found != end; ++found) {
    EXPECT_NO_THROW(reader.script((*found)[1])) << (*found)[1];
    ++questions;
  }
  EXPECT_EQ(questions, 5);
}

TEST(RunRows, AnUnfinishedRunKeepsItsNameToItself) {
  const Scratch scratch;
  Store store(scratch / "traind.db");
  const std::int64_t first = add_run(store, "a");
  EXPECT_THROW(add_run(store, "a"), Error);
  store.write([&](Database& db) { set_run_state(db, first, RunState::kStopped, "stopped", 5); });
  RunRow again;
  again.id = "another";
  again.name = "a";
  again.reason = "waits";
  store.write([&](Database& db) { insert_run(db, again); });
  store.read([&](Database& db) {
    EXPECT_EQ(find_run(db, "a").run, again.run);
    EXPECT_EQ(find_run(db, "id-a").run, first);
  });
  EXPECT_THROW(store.write([&](Database& db) {
    requeue_run(db, *run_by_number(db, first), "again", false);
  }),
               Error);
}

TEST(RunRows, NoNameMeansTheActiveRunElseTheNewest) {
  const Scratch scratch;
  Store store(scratch / "traind.db");
  const auto newest = [&] {
    return store.read([](Database& db) { return find_run(db, "").name; });
  };
  EXPECT_THROW(newest(), Error);
  const std::int64_t first = add_run(store, "a");
  add_run(store, "b");
  EXPECT_EQ(newest(), "b");
  store.write([&](Database& db) { set_run_state(db, first, RunState::kRunning, "training", 0); });
  EXPECT_EQ(newest(), "a");
}

TEST(RunRows, WhatWasInterruptedGoesBeforeTheQueue) {
  const Scratch scratch;
  Store store(scratch / "traind.db");
  add_run(store, "a");
  add_run(store, "b", RunState::kStopped);
  add_run(store, "c", RunState::kPreempted);
  add_run(store, "d");
  std::vector<std::string> names;
  for (const RunRow& run : store.read([](Database& db) { return unfinished_runs(db); })) {
    names.push_back(run.name);
  }
  EXPECT_THAT(names, ElementsAre("c", "a", "d"));
}

TEST(TrainingRows, KeepTheGaugesOfAGpuAndNullForWhatIsNotKnown) {
  const Scratch scratch;
  Store store(scratch / "traind.db");
  const std::int64_t run = add_run(store, "a");
  MetricRow row;
  row.step = 1;
  row.gpu = {0.87, 40e9, 150e9, 61, GpuGauges::kUnknown};
  MetricRow on_cpu;
  on_cpu.step = 2;
  store.write([&](Database& db) {
    put_metric(db, run, row, 1);
    put_metric(db, run, on_cpu, 1);
  });
  const auto rows = store.read([&](Database& db) { return metrics_after(db, run, 0, 9); });
  EXPECT_EQ(rows.at(0).gpu.utilisation, 0.87);
  EXPECT_EQ(rows.at(0).gpu.memory_bytes, 40e9);
  EXPECT_EQ(rows.at(0).gpu.memory_total_bytes, 150e9);
  EXPECT_EQ(rows.at(0).gpu.celsius, 61);
  EXPECT_FALSE(rows.at(1).gpu.known());
  EXPECT_EQ(count(store, "SELECT count(*) FROM metric_list WHERE gpu_watts IS NULL"), 2);
  EXPECT_EQ(count(store, "SELECT count(*) FROM metric_list WHERE gpu_celsius = 61"), 1);
}

TEST(RunRows, AStartThatKnowsMoreThanTheCheckIsBelieved) {
  const Scratch scratch;
  Store store(scratch / "traind.db");
  const std::int64_t run = add_run(store, "a");
  const auto config = [&] {
    return store.read([&](Database& db) { return run_by_number(db, run)->started.config; });
  };
  const std::string checked = config();
  RunStarted started;
  store.write([&](Database& db) { set_run_started(db, run, started, 1); });
  EXPECT_EQ(config(), checked);
  started.config = "[train]\nbatch_size = 512\n";
  store.write([&](Database& db) { set_run_started(db, run, started, 1); });
  EXPECT_EQ(config(), started.config);
}

TEST(TrainingRows, KeepEveryFigureOfAnEpoch) {
  const Scratch scratch;
  Store store(scratch / "traind.db");
  const std::int64_t run = add_run(store, "a");
  const Scores scores{100, 0.4, 0.9, 80, 0.3, 0.2, 0.85, 0.1, 0.6, 41.5, "nrefs:1"};
  for (const Measure measure :
       {Measure::kLoss, Measure::kExact, Measure::kCharacterAccuracy, Measure::kCharacterErrorRate,
        Measure::kWordErrorRate, Measure::kBleu, Measure::kCorrection}) {
    const EpochDone epoch{3,      10, 900, 0.4, 0.5, scores, {{"a", "b", "c"}}, true, 0.001,
                          "00ff", 60, 180, 11,  22,  measure};
    store.write([&](Database& db) { put_epoch(db, run, epoch, 1); });
    const auto kept = store.read([&](Database& db) { return epochs_of(db, run); });
    ASSERT_EQ(kept.size(), 1u);
    EXPECT_EQ(to_message(kept[0]).SerializeAsString(), to_message(epoch).SerializeAsString());
  }
}

TEST(History, TellsAChangedSettingOnceHoweverOftenItIsTold) {
  const Scratch scratch;
  Store store(scratch / "traind.db");
  const std::int64_t run = add_run(store, "a");
  const std::int64_t other = add_run(store, "b");
  SettingChanged change{"train.learning_rate", "0.001", "0.0005", 1200, 3};
  const auto tell = [&](std::int64_t whose) {
    store.write([&](Database& db) { note(db, whose, change, 1); });
  };
  tell(run);
  tell(run);
  tell(other);
  change.step = 1300;
  tell(run);
  change.is = "0.01";
  tell(run);
  const auto changes = [&](int limit) {
    return store.read([&](Database& db) { return newest_changes(db, run, limit); });
  };
  ASSERT_EQ(changes(9).size(), 3u);
  EXPECT_EQ(changes(9)[0].step, 1200);
  EXPECT_EQ(changes(9)[0].was, "0.001");
  ASSERT_EQ(changes(2).size(), 2u);
  EXPECT_EQ(changes(2)[0].is, "0.0005");
  EXPECT_EQ(changes(2)[1].is, "0.01");
  EXPECT_EQ(changes(2)[1].epoch, 3);
}

TEST(TrainingRows, OnlyTheNewestBestCheckpointIsTheBest) {
  const Scratch scratch;
  Store store(scratch / "traind.db");
  const std::int64_t run = add_run(store, "a");
  store.write([&](Database& db) {
    for (int step = 1; step <= 4; ++step) {
      CheckpointSaved saved;
      saved.file = "checkpoint-" + std::to_string(step);
      saved.step = step;
      saved.best = step < 4;
      put_checkpoint(db, run, saved, 1);
    }
    mark_pruned(db, run, "checkpoint-1", 2);
  });
  std::string seen;
  for (const auto& row : store.read([&](Database& db) { return checkpoints_of(db, run); })) {
    seen += row.saved.file + (row.saved.best ? "* " : " ");
  }
  EXPECT_EQ(seen, "checkpoint-4 checkpoint-3* checkpoint-2 ");
}

}  // namespace
}  // namespace traind
