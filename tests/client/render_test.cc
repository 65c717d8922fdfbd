#include <cmath>

#include "client/event_line.h"
#include "client/render_lists.h"
#include "client/render_status.h"
#include "client/render_verify.h"
#include "client/terminal_text.h"
#include "client/watch_view.h"
#include "tests/client/golden.h"
#include "tests/client/replies.h"

namespace traind {
namespace {

using test::expect_golden;

class RenderTest : public test::GoldenTest {
 protected:
  static Look pipe() {
    Look look;
    look.now_micros = test::kNow;
    return look;
  }
  static Look terminal(bool color = false) {
    Look look = pipe();
    look.terminal = true;
    look.color = color;
    return look;
  }
  static Look ascii() {
    Look look = terminal();
    look.unicode = false;
    return look;
  }
  static std::string frame_text(const WatchView& view, PlotSize size, const Look& look) {
    std::string text;
    for (const std::string& line : view.frame(size, look)) text += line + "\n";
    return text;
  }
  static WatchView watched() {
    WatchView view(test::running_status(), "unix:/run/traind/traind.sock");
    for (const auto& event : test::history()) view.apply(event);
    std::int64_t sequence = 10;
    const v1::ListMetricsResponse metrics = test::falling_loss(57);
    for (const auto& row : metrics.rows()) {
      v1::WatchRunResponse event;
      event.set_sequence(sequence++);
      event.set_time_micros(test::kNow);
      *event.mutable_metric_row() = row;
      view.apply(event);
    }
    view.apply(test::progress_event(311));
    return view;
  }
};

TEST_F(RenderTest, StatusOfARunningRun) {
  expect_golden("status_running.txt", render_status(test::running_status(), terminal()));
  expect_golden("status_running_piped.txt", render_status(test::running_status(), pipe()));
  expect_golden("status_running_color.txt", render_status(test::running_status(), terminal(true)));
  expect_golden("status_running_ascii.txt", render_status(test::running_status(), ascii()));
}

TEST_F(RenderTest, StatusOnAGpu) {
  expect_golden("status_gpu.txt", render_status(test::gpu_status(), terminal()));
  const WatchView view(test::gpu_status(), "unix:/run/traind/traind.sock");
  EXPECT_NE(frame_text(view, {80, 12}, terminal()).find("\ngpu 87 % busy, "), std::string::npos);
}

TEST_F(RenderTest, WhatAVerificationFound) {
  const v1::Run run = test::running_run();
  expect_golden("verify_same.txt", render_verify(run, test::same_result(), pipe()));
  expect_golden("verify_different.txt", render_verify(run, test::different_result(), terminal()));
  expect_golden("verify_different_color.txt",
                render_verify(run, test::different_result(), terminal(true)));
  v1::VerifyResult close = test::different_result();
  close.set_verdict(v1::VERDICT_CLOSE);
  close.set_equal_bits(false);
  EXPECT_NE(render_verify(run, close, pipe()).find("as close as its device lets it be"),
            std::string::npos);
}

TEST_F(RenderTest, AVerificationsWordsCannotActOnTheTerminal) {
  v1::VerifyResult hostile = test::different_result();
  v1::Run run = test::running_run();
  for (std::string* text : {hostile.mutable_from(), hostile.mutable_to(), hostile.mutable_digest(),
                            hostile.mutable_trained_digest(), hostile.mutable_optimizer_digest(),
                            hostile.mutable_trained_optimizer_digest(), hostile.mutable_device(),
                            hostile.mutable_device_name(), hostile.add_differences(),
                            hostile.add_notes(), run.mutable_name()}) {
    *text = "\x1b[2J\r\nx";
  }
  const std::string text = render_verify(run, hostile, pipe());
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find('\r'), std::string::npos);
}

TEST_F(RenderTest, AVerificationsProgressIsOneLine) {
  EXPECT_EQ(verify_line(test::verify_progress(1200), ascii()),
            "trained anew: 75 of 275 steps  [####------------]  27 %  about 12s left");
  v1::VerifyProgress progress = test::verify_progress(1125);
  progress.set_seconds_left(-1);
  EXPECT_EQ(verify_line(progress, ascii()).find("left"), std::string::npos);
  progress.set_phase(v1::PHASE_INDEXING);
  EXPECT_EQ(verify_line(progress, ascii()), "reading the corpus");
  Look narrow = ascii();
  narrow.width = 20;
  EXPECT_EQ(columns_of(verify_line(test::verify_progress(1200), narrow)), 20);
}

TEST_F(RenderTest, StatusInEveryOtherState) {
  expect_golden("status_queued.txt", render_status(test::queued_status(), terminal()));
  expect_golden("status_failed.txt", render_status(test::failed_status(), terminal()));
  expect_golden("status_completed.txt", render_status(test::completed_status(), terminal()));
}

TEST_F(RenderTest, ALanguageModelHasALossAndAPerplexityAlone) {
  const v1::GetStatusResponse status = test::language_model_status();
  expect_golden("status_language_model.txt", render_status(status, terminal()));
  const std::string frame = frame_text(WatchView(status, "unix:/x"), {80, 12}, terminal());
  EXPECT_NE(frame.find("perplexity 1.924"), std::string::npos);
  EXPECT_EQ(frame.find("held out"), std::string::npos);
  v1::WatchRunResponse event;
  event.mutable_epoch_done()->set_valid_loss(0.6543);
  event.mutable_epoch_done()->mutable_scores();
  const std::string line = event_line(event, pipe());
  EXPECT_NE(line.find("perplexity 1.924\n"), std::string::npos) << line;
}

TEST_F(RenderTest, WhatWasNotMeasuredIsNotShown) {
  v1::GetStatusResponse status = test::running_status();
  v1::Scores& scores = *status.mutable_run()->mutable_scores();
  // As a database of a version before these figures has it.
  scores.set_character_error_rate(std::nan(""));
  scores.set_word_error_rate(std::nan(""));
  scores.set_bleu(std::nan(""));
  scores.clear_bleu_signature();
  scores.set_corrupted(0);
  const std::string text = render_status(status, terminal());
  for (const char* absent : {"nan", "error rates", "BLEU", "correction", "copying"}) {
    EXPECT_EQ(text.find(absent), std::string::npos) << absent;
  }
  EXPECT_NE(text.find("exact match"), std::string::npos);
}

TEST_F(RenderTest, AChangedSettingIsInTheLiveStatusAtOnce) {
  WatchView view(test::queued_status(), "unix:/x");
  view.apply(test::changed_event(10));
  EXPECT_NE(render_status(view.status(), terminal())
                .find("at step 1,200: train.learning_rate 0.001 -> 0.0005\n"),
            std::string::npos);
  EXPECT_NE(frame_text(view, {100, 30}, terminal()).find("changed    train.learning_rate"),
            std::string::npos);
}

TEST_F(RenderTest, WhatIsWrongAndLastsStandsInTheStatus) {
  v1::GetStatusResponse status = test::running_status();
  status.add_troubles("no checkpoint can be saved: \x1b[2JNo space left on device");
  status.add_troubles("the disk fills: 2.0 MB are free");
  const std::string text = render_status(status, pipe());
  EXPECT_NE(text.find("\n  trouble             no checkpoint can be saved: "), std::string::npos);
  EXPECT_NE(text.find("\n  trouble             the disk fills: 2.0 MB are free\n"),
            std::string::npos);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST_F(RenderTest, AgesAreCountedByTheDaemonsClock) {
  Look wrong_clock = terminal();
  wrong_clock.now_micros += 3600000000;
  EXPECT_EQ(render_status(test::running_status(), wrong_clock),
            render_status(test::running_status(), terminal()));
}

TEST_F(RenderTest, Runs) {
  const std::vector<v1::Run> runs = {test::queued_status().run(), test::running_run(),
                                     test::failed_run()};
  expect_golden("runs.txt", render_runs(runs, terminal()));
  expect_golden("runs_piped.txt", render_runs(runs, pipe()));
}

TEST_F(RenderTest, Checkpoints) {
  expect_golden("checkpoints.txt", render_checkpoints(test::two_checkpoints(), terminal()));
}

TEST_F(RenderTest, Mails) {
  expect_golden("mails.txt", render_mails(test::four_mails(), terminal()));
}

TEST_F(RenderTest, Metrics) {
  const v1::ListMetricsResponse page = test::falling_loss(3);
  expect_golden("metrics.txt", metrics_header(pipe()) + render_metrics(page));
  expect_golden("metrics.csv", metrics_csv_header() + metrics_csv(page));
}

TEST_F(RenderTest, Events) {
  std::string text;
  for (const auto& event : test::history()) text += event_line(event, pipe());
  text += event_line(test::changed_event(10), pipe());
  text += event_line(test::progress_event(1), pipe());
  expect_golden("events.txt", text);
}

TEST_F(RenderTest, WatchFrame) {
  const WatchView view = watched();
  expect_golden("watch_80x30.txt", frame_text(view, {80, 30}, terminal()));
  expect_golden("watch_80x30_color.txt", frame_text(view, {80, 30}, terminal(true)));
  expect_golden("watch_60x12.txt", frame_text(view, {60, 12}, terminal()));
}

TEST_F(RenderTest, WatchSaysThatItIsReconnecting) {
  WatchView view = watched();
  view.set_lost("the connection broke");
  EXPECT_NE(frame_text(view, {80, 30}, terminal()).find("reconnecting to traind at unix:"),
            std::string::npos);
  view.set_status(test::running_status());
  EXPECT_EQ(frame_text(view, {80, 30}, terminal()).find("reconnecting"), std::string::npos);
}

TEST_F(RenderTest, WatchFrameFitsEveryWindow) {
  const WatchView view = watched();
  for (int columns = 1; columns <= 120; columns += 7) {
    for (int rows = 0; rows <= 50; ++rows) {
      const auto lines = view.frame({columns, rows}, terminal(true));
      EXPECT_LE(lines.size(), static_cast<std::size_t>(rows));
      for (const std::string& line : lines) {
        // What is left when the colours are taken out.
        std::string plain;
        for (std::size_t i = 0; i < line.size(); ++i) {
          if (line[i] == '\x1b') {
            i = line.find('m', i);
          } else {
            plain += line[i];
          }
        }
        EXPECT_LE(columns_of(plain), columns) << plain;
      }
    }
  }
}

TEST_F(RenderTest, HistoryDoesNotOverwriteANewerStatus) {
  WatchView view(test::completed_status(), "unix:/x");
  for (const auto& event : test::history()) view.apply(event);
  EXPECT_EQ(view.status().run().state(), v1::RUN_STATE_COMPLETED);
  EXPECT_EQ(view.status().checkpoint().step(), 1400);
}

TEST_F(RenderTest, NewEventsBringTheStatusUpToDate) {
  WatchView view(test::running_status(), "unix:/x");
  view.apply(test::progress_event(777));
  EXPECT_EQ(view.status().progress().batch(), 777);
  view.apply(test::state_event(10, v1::RUN_STATE_STOPPING, "asked to stop"));
  EXPECT_EQ(view.status().run().state(), v1::RUN_STATE_STOPPING);
  EXPECT_EQ(view.status().last_sequence(), 10);
}

// Every string field of a message, and of those in it, is set to `text`.
void poison(google::protobuf::Message& message, const std::string& text) {
  const auto* reflection = message.GetReflection();
  const auto* descriptor = message.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const auto* field = descriptor->field(i);
    if (field->containing_oneof() != nullptr && !reflection->HasField(message, field)) continue;
    if (field->is_repeated()) {
      for (int j = 0; j < reflection->FieldSize(message, field); ++j) {
        if (field->cpp_type() == field->CPPTYPE_MESSAGE) {
          poison(*reflection->MutableRepeatedMessage(&message, field, j), text);
        } else if (field->cpp_type() == field->CPPTYPE_STRING) {
          reflection->SetRepeatedString(&message, field, j, text);
        }
      }
    } else if (field->cpp_type() == field->CPPTYPE_MESSAGE) {
      poison(*reflection->MutableMessage(&message, field), text);
    } else if (field->cpp_type() == field->CPPTYPE_STRING) {
      reflection->SetString(&message, field, text);
    }
  }
}

TEST_F(RenderTest, HostileStringsNeverReachTheTerminal) {
  const std::string hostile = "x\x1b[2J\x1b]0;owned\x07\u009b31m\u202eevil\r\n\xff\x7f";
  v1::GetStatusResponse status = test::running_status();
  poison(status, hostile);
  v1::GetStatusResponse failed = test::failed_status();
  poison(failed, hostile);
  v1::ListCheckpointsResponse checkpoints = test::two_checkpoints();
  poison(checkpoints, hostile);
  v1::ListMailsResponse mails = test::four_mails();
  poison(mails, hostile);
  std::vector<v1::WatchRunResponse> events = test::history();
  events.push_back(test::progress_event(5));
  events.push_back(test::changed_event(10));
  WatchView view(status, hostile);
  std::string text = render_status(status, terminal()) + render_status(failed, terminal()) +
                     render_runs({status.run(), failed.run()}, pipe()) +
                     render_checkpoints(checkpoints, pipe()) + render_mails(mails, pipe());
  for (v1::WatchRunResponse& event : events) {
    poison(event, hostile);
    text += event_line(event, pipe());
    view.apply(event);
  }
  text += frame_text(view, {100, 40}, terminal());
  EXPECT_EQ(neutral(text, Lines::kMany), text);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(first_invalid_utf8(text), std::string::npos);
  EXPECT_NE(text.find("\\x1b[2J"), std::string::npos);
}

}  // namespace
}  // namespace traind
