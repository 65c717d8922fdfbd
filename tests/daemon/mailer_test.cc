#include "daemon/mailer.h"

#include <gmock/gmock.h>

#include <atomic>
#include <deque>

#include "daemon/mail_desk.h"
#include "daemon/run_rows.h"
#include "daemon/training_rows.h"
#include "model/base/clock.h"
#include "tests/daemon/scratch.h"

namespace traind {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Answers as told and remembers what came.
struct Post {
  std::mutex mutex;
  std::deque<SendResult> answers;
  std::vector<OutgoingMessage> messages;
  std::atomic<bool> silent = false;

  std::vector<std::string> stems() {
    const std::lock_guard lock(mutex);
    std::vector<std::string> stems;
    for (const auto& message : messages) stems.push_back(message.file_stem);
    return stems;
  }
};

class ScriptedTransport final : public MailTransport {
 public:
  explicit ScriptedTransport(Post& post) : post_(post) {}
  SendResult send(const OutgoingMessage& message) noexcept override {
    while (post_.silent) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const std::lock_guard lock(post_.mutex);
    post_.messages.push_back(message);
    if (post_.answers.empty()) return {SendOutcome::kSent, 250, "ok"};
    const SendResult answer = post_.answers.front();
    post_.answers.pop_front();
    return answer;
  }
  std::string description() const override { return "a test"; }

 private:
  Post& post_;
};

class MailerTest : public ::testing::Test {
 protected:
  MailerTest() : store_(scratch_ / "traind.db"), config_(quick_config(scratch_)) {
    run_.id = "01ARYZ6S41TSV4RRFFQ69G5FAV";
    run_.name = "spelling";
    run_.reason = "waits";
    run_.epochs = 3;
    store_.write([&](Database& db) { insert_run(db, run_); });
  }

  void put(ReportKind kind, const std::string& key) {
    Occasion occasion;
    occasion.kind = kind;
    occasion.key = key;
    store_.write([&](Database& db) {
      MailDesk(config_.mail, "gpu1").put(db, run_, occasion, unix_micros());
    });
  }
  void put_epoch_mail(int epoch) {
    EpochDone done;
    done.epoch = epoch;
    done.epochs = 3;
    store_.write([&](Database& db) { put_epoch(db, run_.run, done, 1); });
    put(ReportKind::kEpoch, "epoch-" + std::to_string(epoch));
  }
  std::unique_ptr<Mailer> mailer(MailerPace pace = {std::chrono::milliseconds(1),
                                                    std::chrono::seconds(2)}) {
    desk_ = std::make_unique<MailDesk>(config_.mail, "gpu1");
    return std::make_unique<Mailer>(store_, *desk_, std::make_unique<ScriptedTransport>(post_),
                                    "traind@localhost", pace);
  }
  std::string states() {
    std::string text;
    for (const OutboxRow& mail : store_.read([](Database& db) { return list_mails(db, 100); })) {
      text = mail.key + ":" + mail.state + ":" + std::to_string(mail.attempts) +
             (text.empty() ? "" : " ") + text;
    }
    return text;
  }

  Scratch scratch_;
  Store store_;
  DaemonConfig config_;
  RunRow run_;
  Post post_;
  std::unique_ptr<MailDesk> desk_;
};

const SendResult kDown{SendOutcome::kTemporary, 0, "nobody listens", SendTrouble::kServer};
const SendResult kWrongPassword{SendOutcome::kTemporary, 535, "no", SendTrouble::kLogin};
const SendResult kNoVerdict{SendOutcome::kTemporary, 354, "gone", SendTrouble::kMessage, true};

TEST_F(MailerTest, WritesEachMailIntoTheFolderOnce) {
  put(ReportKind::kStart, "start-1");
  put_epoch_mail(1);
  put_epoch_mail(1);
  const MailDesk desk(config_.mail, "gpu1");
  Mailer mailer(store_, desk, make_folder_transport(scratch_ / "mail"), "traind@localhost");
  ASSERT_TRUE(eventually([&] { return states() == "start-1:sent:1 epoch-1:sent:1"; })) << states();
  EXPECT_THAT(content_of(scratch_ / "mail/spelling-epoch-1-9G5FAV.eml"),
              HasSubstr("To: <owner@localhost>"));
  std::size_t files = 0;
  for (const auto& file : std::filesystem::directory_iterator(scratch_ / "mail")) {
    files += file.path().extension() == ".eml" ? 1 : 0;
  }
  EXPECT_EQ(files, 2u);
}

TEST_F(MailerTest, TriesAgainInOrderAndWithTheSameBytes) {
  const SendResult later{SendOutcome::kTemporary, 451, "later"};
  post_.answers = {later, later};
  put(ReportKind::kStart, "start-1");
  put_epoch_mail(1);
  // Long enough for the second mail to overtake, if it could.
  const auto sending = mailer({std::chrono::milliseconds(200), std::chrono::seconds(2)});
  ASSERT_TRUE(eventually([&] { return states() == "start-1:sent:3 epoch-1:sent:1"; })) << states();
  EXPECT_THAT(post_.stems(), ElementsAre("spelling-start-1-9G5FAV", "spelling-start-1-9G5FAV",
                                         "spelling-start-1-9G5FAV", "spelling-epoch-1-9G5FAV"));
  EXPECT_EQ(post_.messages[0].bytes, post_.messages[2].bytes);
}

TEST_F(MailerTest, ARefusedMailIsDeadAndTheNextOneGoes) {
  post_.answers = {{SendOutcome::kPermanent, 550, "no such\r\nuser"}};
  put(ReportKind::kStart, "start-1");
  put_epoch_mail(1);
  const auto sending = mailer();
  ASSERT_TRUE(eventually([&] { return states() == "start-1:dead:1 epoch-1:sent:1"; })) << states();
  const OutboxCounts counts = store_.read([](Database& db) { return count_mails(db); });
  EXPECT_EQ(counts.dead, 1);
  EXPECT_EQ(counts.error, "no such  user");
}

TEST_F(MailerTest, ADeadMailGoesWhenItIsPutBack) {
  post_.answers = {{SendOutcome::kPermanent, 550, "no"}};
  put(ReportKind::kStart, "start-1");
  const auto sending = mailer();
  ASSERT_TRUE(eventually([&] { return states() == "start-1:dead:1"; }));
  EXPECT_EQ(store_.write([&](Database& db) { return revive_mails(db, 0, unix_micros()); }), 1);
  sending->wake();
  EXPECT_TRUE(eventually([&] { return states() == "start-1:sent:1"; })) << states();
}

TEST_F(MailerTest, GivesUpAfterThreeDaysOfTrying) {
  post_.answers = {{SendOutcome::kTemporary, 451, "later"}};
  put(ReportKind::kStart, "start-1");
  store_.write([](Database& db) { age_mails(db, 72 * 3'600'000'000); });
  const auto sending = mailer();
  EXPECT_TRUE(eventually([&] { return states() == "start-1:dead:1"; })) << states();
}

TEST_F(MailerTest, AClockThatJumpedKillsNoMailAndStopsNone) {
  // Written ten years ago or hence, and due then.
  for (const std::int64_t years : {-10, 10}) {
    put(ReportKind::kRestart, "restart-" + std::to_string(years));
    store_.write([&](Database& db) {
      db.run(
          "UPDATE outbox SET created_micros = created_micros + ?1, "
          "next_attempt_micros = next_attempt_micros + ?1",
          years * 365 * 24 * 3'600'000'000);
    });
    post_.answers = {{SendOutcome::kTemporary, 451, "later"}};
    const auto sending = mailer();
    ASSERT_TRUE(eventually([&] {
      return states().ends_with("restart-" + std::to_string(years) + ":sent:2");
    })) << states();
  }
}

TEST_F(MailerTest, WaitsLongerEachTime) {
  for (int i = 0; i < 3; ++i) post_.answers.push_back({SendOutcome::kTemporary, 0, "down"});
  put(ReportKind::kStart, "start-1");
  const auto sending = mailer({std::chrono::hours(1), std::chrono::hours(2)});
  for (int attempt = 1; attempt <= 3; ++attempt) {
    ASSERT_TRUE(eventually([&] {
      const auto mail = store_.read([](Database& db) { return list_mails(db, 1); }).at(0);
      return mail.attempts == attempt && mail.last_error == "down";
    }));
    const auto mail = store_.read([](Database& db) { return list_mails(db, 1); }).at(0);
    const double hours = static_cast<double>(mail.next_attempt_micros - unix_micros()) / 3.6e9;
    EXPECT_NEAR(hours, attempt == 1 ? 1 : attempt == 2 ? 2 : 4, 0.05);
    store_.write(
        [](Database& db) { db.run("UPDATE outbox SET next_attempt_micros = 1, last_error = ''"); });
    sending->wake();
  }
}

TEST_F(MailerTest, ASilentServerHoldsUpNobody) {
  post_.silent = true;
  put(ReportKind::kStart, "start-1");
  auto sending = mailer();
  ASSERT_TRUE(eventually([&] { return states() == "start-1:waiting:1"; }));
  const auto before = std::chrono::steady_clock::now();
  put_epoch_mail(1);
  sending->wake();
  EXPECT_FALSE(sending->stop(std::chrono::milliseconds(10)));
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(5));
  post_.silent = false;
}

TEST_F(MailerTest, RestartMailsComeAtMostOnceAnHour) {
  put(ReportKind::kRestart, "restart-1");
  put(ReportKind::kRestart, "restart-2");
  EXPECT_EQ(states(), "restart-1:waiting:0");
  store_.write([](Database& db) {
    db.run("UPDATE outbox SET created_micros = created_micros - 3600000000");
  });
  put(ReportKind::kRestart, "restart-3");
  EXPECT_EQ(states(), "restart-1:waiting:0 restart-3:waiting:0");
}

TEST_F(MailerTest, ARestartMailFromTheFutureSilencesNoOther) {
  put(ReportKind::kRestart, "restart-1");
  store_.write([](Database& db) {
    db.run("UPDATE outbox SET created_micros = created_micros + 315360000000000");
  });
  put(ReportKind::kRestart, "restart-2");
  put(ReportKind::kRestart, "restart-3");
  EXPECT_EQ(states(), "restart-1:waiting:0 restart-2:waiting:0") << "one, and then once an hour";
}

TEST_F(MailerTest, WaitsLessForAServerThatIsDownThanForOneThatRefuses) {
  const MailerPace pace;
  using std::chrono::minutes;
  EXPECT_EQ(pace.wait(1, SendTrouble::kServer), minutes(1));
  EXPECT_EQ(pace.wait(4, SendTrouble::kServer), minutes(8));
  EXPECT_EQ(pace.wait(5, SendTrouble::kServer), minutes(15));
  EXPECT_EQ(pace.wait(99, SendTrouble::kServer), minutes(15));
  EXPECT_EQ(pace.wait(99, SendTrouble::kMessage), minutes(60));
  EXPECT_EQ(pace.wait(1, SendTrouble::kLogin), minutes(5));
  EXPECT_EQ(pace.wait(2, SendTrouble::kLogin), minutes(10));
  EXPECT_EQ(pace.wait(99, SendTrouble::kLogin), minutes(60));
}

TEST_F(MailerTest, AsksAServerThatIsDownForOneMailAtATime) {
  config_.mail.to = {"a@b.example", "c@d.example", "e@f.example"};
  put(ReportKind::kStart, "start-1");
  post_.answers = {kWrongPassword};
  const auto sending = mailer({std::chrono::hours(1), std::chrono::hours(1)});
  ASSERT_TRUE(eventually([&] { return !post_.stems().empty(); }));
  ASSERT_TRUE(eventually([&] {
    for (const OutboxRow& mail : store_.read([](Database& db) { return list_mails(db, 9); })) {
      if (mail.last_error != "no" || mail.next_attempt_micros < unix_micros()) return false;
    }
    return true;
  })) << "each says why it waits";
  // A mail that somebody asks for goes at once; it arrives, so all others go too.
  store_.write([&](Database& db) { desk_->put_test(db, unix_micros()); });
  sending->wake();
  EXPECT_TRUE(eventually([&] { return post_.stems().size() == 7; })) << states();
}

TEST_F(MailerTest, AMailThatServersChokeOnHoldsUpNoOther) {
  config_.mail.to = {"a@b.example", "c@d.example"};
  put(ReportKind::kStart, "start-1");
  post_.answers = {kNoVerdict};
  const auto sending = mailer({std::chrono::hours(1), std::chrono::hours(1)});
  ASSERT_TRUE(eventually([&] { return states() == "start-1:waiting:1 start-1:sent:1"; }))
      << states();
}

TEST_F(MailerTest, AfterAnOutageADigestStandsForManyEpochs) {
  config_.mail.route = MailRoute::kSmtp;
  put(ReportKind::kStart, "start-1");
  for (int epoch = 1; epoch <= 2; ++epoch) put_epoch_mail(epoch);
  post_.answers.assign(3, kDown);
  {
    const auto sending = mailer({std::chrono::milliseconds(1), std::chrono::hours(1)});
    ASSERT_TRUE(eventually([&] { return !post_.stems().empty(); }));
    // Few: they go one by one.
    ASSERT_TRUE(eventually([&] {
      return states() == "start-1:sent:4 epoch-1:sent:1 epoch-2:sent:1";
    })) << states();
  }
  post_.messages.clear();
  for (int epoch = 3; epoch <= 12; ++epoch) {
    put_epoch_mail(epoch);
    if (epoch == 7) put(ReportKind::kRestart, "restart-1");
    if (epoch == 10) put(ReportKind::kFailure, "failure-1");
  }
  put(ReportKind::kEnd, "end-2");
  post_.answers = {kDown, kDown};
  const auto sending = mailer();
  ASSERT_TRUE(eventually([&] { return post_.stems().size() == 7; })) << states();
  EXPECT_THAT(post_.stems(), ElementsAre("spelling-epoch-3-9G5FAV", "spelling-digest-12-9G5FAV",
                                         "spelling-digest-12-9G5FAV", "spelling-failure-1-9G5FAV",
                                         "spelling-epoch-11-9G5FAV", "spelling-epoch-12-9G5FAV",
                                         "spelling-end-2-9G5FAV"));
  ASSERT_TRUE(eventually([&] {
    return store_.read([](Database& db) { return count_mails(db); }).waiting == 0;
  })) << states();
  EXPECT_THAT(states(), HasSubstr("digest-12:sent:3"));
  EXPECT_THAT(states(), HasSubstr("epoch-3:folded:1 epoch-4:folded:0"));
  EXPECT_THAT(states(), HasSubstr("restart-1:folded:0"));
  EXPECT_THAT(post_.messages[1].bytes, HasSubstr("Subject: [traind] spelling epochs 3 to 10 of"));
  EXPECT_THAT(post_.messages[1].bytes, HasSubstr("X-Traind-Epoch: 10\r\n"));
}

TEST_F(MailerTest, ADigestThatIsNotSentEitherTakesInWhatComes) {
  config_.mail.route = MailRoute::kSmtp;
  desk_ = std::make_unique<MailDesk>(config_.mail, "gpu1");
  const auto fold = [&] {
    return store_.write(
        [&](Database& db) { return desk_->fold(db, run_.run, config_.mail.to[0], 5); });
  };
  for (int epoch = 1; epoch <= 3; ++epoch) put_epoch_mail(epoch);
  EXPECT_EQ(fold(), 0) << "three are few";
  put_epoch_mail(4);
  EXPECT_EQ(fold(), 4);
  EXPECT_EQ(fold(), 0);
  const auto digest = [&] {
    return *store_.read([](Database& db) { return due_mail(db, unix_micros(), 1); });
  };
  const OutboxRow before = digest();
  store_.write([](Database& db) { age_mails(db, 1000); });
  put_epoch_mail(5);
  EXPECT_EQ(fold(), 1);
  const OutboxRow after = digest();
  EXPECT_EQ(after.id, before.id);
  EXPECT_NE(after.message, before.message);
  EXPECT_EQ(after.waited_micros, 0) << "three days from the newest";
  EXPECT_THAT(after.subject, HasSubstr("epochs 1 to 5 of"));
  // From here on it may have arrived: it stays as it is, and so do those after it.
  store_.write([&](Database& db) { lease_mail(db, after.id, 1); });
  put_epoch_mail(6);
  EXPECT_EQ(fold(), 0);
  EXPECT_EQ(digest().message, after.message);
  EXPECT_EQ(store_.write([](Database& db) { return revive_mails(db, 0, 1); }), 2)
      << "what is folded stays folded";
}

TEST_F(MailerTest, AMailThatMayHaveArrivedIsNeverFolded) {
  config_.mail.route = MailRoute::kSmtp;
  for (int epoch = 1; epoch <= 6; ++epoch) put_epoch_mail(epoch);
  post_.answers = {kNoVerdict, kDown};
  const auto sending = mailer();
  ASSERT_TRUE(eventually([&] { return post_.stems().size() == 4; })) << states();
  EXPECT_THAT(post_.stems(), ElementsAre("spelling-epoch-1-9G5FAV", "spelling-epoch-1-9G5FAV",
                                         "spelling-epoch-1-9G5FAV", "spelling-digest-6-9G5FAV"));
}

TEST_F(MailerTest, AFolderGetsEveryMailAsItIs) {
  for (int epoch = 1; epoch <= 6; ++epoch) put_epoch_mail(epoch);
  post_.answers = {kDown};
  const auto sending = mailer();
  ASSERT_TRUE(eventually([&] { return post_.stems().size() == 7; })) << states();
}

TEST_F(MailerTest, EachRecipientGetsItsOwn) {
  config_.mail.to = {"a@b.example", "c@d.example"};
  put(ReportKind::kStart, "start-1");
  const auto sending = mailer();
  ASSERT_TRUE(eventually([&] { return post_.stems().size() == 2; }));
  EXPECT_EQ(post_.messages[0].recipient, "a@b.example");
  EXPECT_EQ(post_.messages[1].recipient, "c@d.example");
  EXPECT_NE(post_.messages[0].file_stem, post_.messages[1].file_stem);
}

TEST_F(MailerTest, NothingIsWrittenWhenMailIsOff) {
  config_.mail.route = MailRoute::kNone;
  put(ReportKind::kStart, "start-1");
  EXPECT_EQ(states(), "");
  EXPECT_THROW(
      store_.write([&](Database& db) { return MailDesk(config_.mail, "gpu1").put_test(db, 1); }),
      Error);
}

}  // namespace
}  // namespace traind
