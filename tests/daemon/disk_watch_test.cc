// When people are warned of a disk that fills, and when they hear that it is well again.
#include "daemon/disk_watch.h"

#include <gmock/gmock.h>

#include "tests/daemon/scratch.h"

namespace traind {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::uint64_t kGigabyte = 1'000'000'000;
constexpr std::uint64_t kManyFiles = 1'000'000;

class DiskWatchTest : public ::testing::Test {
 protected:
  std::optional<DiskWord> look(std::uint64_t bytes, std::uint64_t files = kManyFiles) {
    now_ += 10s;
    return watch_.look({bytes, files}, checkpoint_, now_);
  }

  DiskWatch watch_;
  std::uint64_t checkpoint_ = kGigabyte;
  DiskWatch::Clock::time_point now_;
};

TEST_F(DiskWatchTest, WarnsBelowThreeCheckpointsOnceUntilItIsWellAgain) {
  EXPECT_FALSE(look(3 * kGigabyte));
  EXPECT_THAT(watch_.trouble(), IsEmpty());
  const auto word = look(3 * kGigabyte - 1);
  ASSERT_TRUE(word);
  EXPECT_TRUE(word->fills);
  EXPECT_THAT(word->text, HasSubstr("3.00 GB are free, and three checkpoints take 3.00 GB"));
  EXPECT_TRUE(look(3 * kGigabyte - 1)) << "nobody has been told";
  watch_.told();
  EXPECT_FALSE(look(kGigabyte));
  EXPECT_THAT(watch_.trouble(), HasSubstr("1.00 GB are free"));
  EXPECT_FALSE(look(3 * kGigabyte)) << "the next checkpoint would make it too little again";
  const auto well = look(4 * kGigabyte);
  ASSERT_TRUE(well);
  EXPECT_FALSE(well->fills);
  EXPECT_THAT(watch_.trouble(), IsEmpty());
  watch_.told();
  EXPECT_FALSE(look(4 * kGigabyte));
  EXPECT_TRUE(look(kGigabyte)) << "it comes again";
}

TEST_F(DiskWatchTest, WarnsWhenTheNextHourWouldUseWhatIsLeft) {
  std::uint64_t free = 100 * kGigabyte;
  std::optional<DiskWord> word;
  // A gigabyte a minute.
  for (; !word && free > 0; free -= kGigabyte / 6) word = look(free);
  ASSERT_TRUE(word);
  EXPECT_GT(free, 48 * kGigabyte);
  EXPECT_LT(free, 51 * kGigabyte);
  EXPECT_THAT(word->text, HasSubstr("and the last hour has used 50."));
}

TEST_F(DiskWatchTest, ForgetsWhatWasUsedMoreThanAnHourAgo) {
  look(100 * kGigabyte);
  EXPECT_TRUE(look(40 * kGigabyte)) << "60 GB within the hour";
  watch_.told();
  now_ += 61min;
  const auto well = look(40 * kGigabyte);
  ASSERT_TRUE(well);
  EXPECT_FALSE(well->fills);
}

TEST_F(DiskWatchTest, WarnsWhenFilesRunOut) {
  EXPECT_FALSE(look(100 * kGigabyte, 100));
  const auto word = look(100 * kGigabyte, 99);
  ASSERT_TRUE(word);
  EXPECT_THAT(word->text, HasSubstr("no more than 99 new files"));
}

TEST_F(DiskWatchTest, LeavesRoomForTheDatabaseOfASmallModel) {
  checkpoint_ = 0;
  EXPECT_FALSE(look(17 << 20));
  EXPECT_TRUE(look(15 << 20));
}

TEST_F(DiskWatchTest, SaysNothingOfWhatWasOverBeforeAnybodyWasTold) {
  EXPECT_TRUE(look(kGigabyte));
  EXPECT_FALSE(look(100 * kGigabyte));
}

TEST(DiskRoom, IsThatOfTheFolder) {
  const Scratch folder;
  EXPECT_GT(disk_room(folder.path()).bytes, 0u);
  EXPECT_GT(disk_room(folder.path()).files, 0u);
}

}  // namespace
}  // namespace traind
