// Real sockets, and descriptors that run out for real.
#include "daemon/accept_loop.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <ctime>
#include <mutex>

#include "daemon/listeners.h"
#include "tests/daemon/scratch.h"

namespace traind {
namespace {

// Above all that a test has open.
constexpr int kFirst = 300;
constexpr std::size_t kPlenty = std::size_t{1} << 40;

Descriptor caller_at(const std::string& path) {
  Descriptor caller(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  EXPECT_EQ(connect(caller.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return caller;
}

// Within ten seconds: where nobody is turned away, every test here is to say so in good time.
bool is_turned_away(const Descriptor& caller) {
  pollfd watched{caller.get(), POLLIN, 0};
  char byte = 0;
  return poll(&watched, 1, 10'000) == 1 && recv(caller.get(), &byte, 1, 0) == 0;
}

// A door that keeps its callers.
struct House {
  House(const Scratch& scratch, const std::string& name, int first, int size)
      : path(scratch / name), listener(path, ""), numbers{first, size} {}

  Door door() {
    return {path, listener.get(), numbers, [this](int connection) {
              const std::lock_guard lock(mutex);
              guests.emplace_back(connection);
            }};
  }
  std::vector<int> numbers_of_guests() {
    const std::lock_guard lock(mutex);
    std::vector<int> found;
    for (const Descriptor& guest : guests) found.push_back(guest.get());
    return found;
  }

  const std::string path;
  UnixListener listener;
  const NumberRange numbers;
  std::mutex mutex;
  std::vector<Descriptor> guests;  // guarded by mutex
};

TEST(AcceptLoop, TurnsCallersAwayBeyondItsBoundAndTakesThemWhenSomebodyHasGone) {
  const Scratch scratch;
  House house(scratch, "a", kFirst, 2);
  const AcceptLoop loop({house.door()}, kPlenty);
  const Descriptor first = caller_at(house.path);
  const Descriptor second = caller_at(house.path);
  ASSERT_TRUE(is_turned_away(caller_at(house.path)));
  EXPECT_EQ(house.numbers_of_guests(), (std::vector<int>{kFirst, kFirst + 1}));
  {
    const std::lock_guard lock(house.mutex);
    house.guests.erase(house.guests.begin());
  }
  const Descriptor third = caller_at(house.path);
  EXPECT_TRUE(eventually([&] {
    return house.numbers_of_guests() == std::vector<int>{kFirst + 1, kFirst};
  }));
}

TEST(AcceptLoop, AFullDoorLeavesTheOtherOneOpen) {
  const Scratch scratch;
  House full(scratch, "full", kFirst, 0);
  House open(scratch, "open", kFirst, 8);
  const AcceptLoop loop({full.door(), open.door()}, kPlenty);
  for (std::size_t i = 1; i <= 8; ++i) {
    ASSERT_TRUE(is_turned_away(caller_at(full.path)));
    const Descriptor caller = caller_at(open.path);
    ASSERT_TRUE(eventually([&] { return open.numbers_of_guests().size() == i; }));
  }
}

// While it lives, the process has no descriptor to spare.
class NoDescriptors {
 public:
  NoDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit few = before_;
    few.rlim_cur = kFirst + 10;
    setrlimit(RLIMIT_NOFILE, &few);
    for (int fd = dup(0); fd >= 0; fd = dup(0)) taken_.emplace_back(fd);
  }
  ~NoDescriptors() {
    taken_.clear();
    setrlimit(RLIMIT_NOFILE, &before_);
  }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit before_{};
  std::vector<Descriptor> taken_;
};

TEST(AcceptLoop, OutlivesAWantOfDescriptorsWithoutSpinning) {
  const Scratch scratch;
  House house(scratch, "a", kFirst, 2);
  const AcceptLoop loop({house.door()}, kPlenty);
  Descriptor caller(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  {
    const NoDescriptors none;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    house.path.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(connect(caller.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
              0);
    const std::clock_t before = std::clock();
    pollfd watched{caller.get(), POLLIN, 0};
    EXPECT_EQ(poll(&watched, 1, 500), 0);  // neither served nor turned away
    EXPECT_LT(std::clock() - before, CLOCKS_PER_SEC / 10);
  }
  EXPECT_TRUE(eventually([&] { return house.numbers_of_guests() == std::vector<int>{kFirst}; }));
}

TEST(AcceptLoop, HangsUpOnTheLastDoorFirstWhenMemoryIsShort) {
  const Scratch scratch;
  House first(scratch, "first", kFirst, 2);
  House last(scratch, "last", kFirst + 2, 2);
  const std::size_t more = std::size_t{64} << 20;
  const AcceptLoop loop({first.door(), last.door()}, more);
  const Descriptor spared = caller_at(first.path);
  const Descriptor caller = caller_at(last.path);
  ASSERT_TRUE(eventually(
      [&] { return first.numbers_of_guests().size() + last.numbers_of_guests().size() == 2; }));
  const std::vector<char> hoard(4 * more, 'x');
  ASSERT_TRUE(is_turned_away(caller));
  {
    const std::lock_guard lock(last.mutex);
    last.guests.clear();
  }
  ASSERT_TRUE(is_turned_away(spared));  // the other one was not enough
}

TEST(AcceptLoop, SharesDescriptorsOutSoThatNoneTakesWhatAnotherNeeds) {
  for (const int limit : {20, 200, 1024, 4096, 1 << 20}) {
    const DescriptorPlan plan = plan_descriptors(limit);
    EXPECT_GE(plan.local.first, std::min(256, limit / 2)) << limit;
    EXPECT_EQ(plan.tcp.first, plan.local.first + plan.local.size) << limit;
    EXPECT_LE(plan.tcp.first + plan.tcp.size, limit) << limit;
    EXPECT_GT(plan.tcp.size, 0) << limit;
    EXPECT_GT(plan.local.size, plan.tcp.size) << limit;
  }
}

TEST(Listeners, TheSocketsFileIsForOwnerAndGroupAloneAndGoesWithIt) {
  const Scratch scratch;
  const std::string path = scratch / "deep/socket";
  {
    const UnixListener listener(path, "");
    struct stat found {};
    ASSERT_EQ(stat(path.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 07777, 0660u);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(Listeners, AnothersFileAtThePathIsLeftAlone) {
  const Scratch scratch;
  const std::string path = scratch / "socket";
  {
    const UnixListener listener(path, "");
    std::filesystem::rename(path, scratch / "aside");
    write_file(path, "somebody else's");
    EXPECT_THROW(UnixListener(path, ""), Error);
  }
  EXPECT_EQ(content_of(path), "somebody else's");
}

TEST(Listeners, AnswersOnLoopbackAndSaysWhenThePortIsTaken) {
  const std::string address = "127.0.0.1:" + std::to_string(40'000 + getpid() % 20'000);
  const Descriptor listener = listen_on_tcp(address);
  EXPECT_NE(fcntl(listener.get(), F_GETFL) & O_NONBLOCK, 0);
  try {
    listen_on_tcp(address);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kIo);
    EXPECT_NE(std::string(error.what()).find(address), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace traind
