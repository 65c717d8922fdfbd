#include "model/worker/frame.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "model/base/error.h"

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

TEST(Frame, SaysThatTheOtherEndIsGone) {
  signal(SIGPIPE, SIG_IGN);
  Pipe pipe;
  close(pipe.ends[0]);
  EXPECT_FALSE(write_frame(pipe.ends[1], "anyone?"));
  pipe.ends[0] = -1;
}

}  // namespace
}  // namespace traind
