#include "model/worker/frame.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <thread>

#include "model/base/error.h"
#include "model/worker/control_reader.h"
#include "traind/v1/worker.pb.h"

namespace traind {
namespace {

struct Pipe {
  Pipe() { EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0); }
  ~Pipe() {
    close(ends[0]);
    close(ends[1]);
  }
  int ends[2] = {-1, -1};
};

TEST(Frame, ComesOutAsItWentInHoweverItIsCut) {
  const std::string large(100'000, 'x');
  Pipe pipe;
  std::thread writer([&] {
    EXPECT_TRUE(write_frame(pipe.ends[1], "first"));
    EXPECT_TRUE(write_frame(pipe.ends[1], ""));
    EXPECT_TRUE(write_frame(pipe.ends[1], large));
  });
  FrameReader reader;
  std::vector<std::string> got;
  char bytes[777];
  while (got.size() < 3) {
    const ssize_t count = read(pipe.ends[0], bytes, got.empty() ? 1 : sizeof bytes);
    ASSERT_GT(count, 0);
    reader.append(bytes, static_cast<std::size_t>(count));
    while (auto frame = reader.next()) got.push_back(*frame);
  }
  writer.join();
  EXPECT_EQ(got[0], "first");
  EXPECT_EQ(got[1], "");
  EXPECT_EQ(got[2], large);
}

TEST(Frame, IsRefusedWhenItAnnouncesTooMuch) {
  FrameReader reader;
  reader.append("\xff\xff\xff\xff", 4);
  EXPECT_THROW(reader.next(), Error);
}

// The bytes of a frame; short ones only.
std::string frame_of(const std::string& payload) {
  return std::string({static_cast<char>(payload.size()), 0, 0, 0}) + payload;
}

TEST(Control, IsObeyedHoweverItIsCut) {
  v1::WorkerControl save;
  save.set_save_checkpoint(true);
  v1::WorkerControl stored;
  stored.set_stored_step(300);
  const std::string bytes = frame_of("\xff is no message") + frame_of(save.SerializeAsString()) +
                            frame_of(stored.SerializeAsString());
  for (const std::size_t piece : {std::size_t{1}, std::size_t{5}, bytes.size()}) {
    TrainerControl control;
    FrameReader frames;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      obey(bytes.data() + at, std::min(piece, bytes.size() - at), frames, control);
    }
    EXPECT_TRUE(control.take_save_request());
    EXPECT_EQ(control.acknowledged(), 300);
    EXPECT_FALSE(control.stop_requested());
  }
}

TEST(Control, ThatIsRubbishMeansStop) {
  const Pipe pipe;
  TrainerControl control;
  control.began();
  const ControlReader reader(control, pipe.ends[0]);
  const std::string rubbish(8, '\xff');
  ASSERT_EQ(write(pipe.ends[1], rubbish.data(), rubbish.size()), 8);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!control.stop_requested() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_TRUE(control.stop_requested());
}

TEST(Frame, SaysThatTheOtherEndIsGone) {
  signal(SIGPIPE, SIG_IGN);
  Pipe pipe;
  close(pipe.ends[0]);
  EXPECT_FALSE(write_frame(pipe.ends[1], "anyone?"));
  pipe.ends[0] = -1;
}

}  // namespace
}  // namespace traind
