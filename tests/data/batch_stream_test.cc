#include "model/data/batch_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <stdexcept>
#include <vector>

#include "model/base/error.h"

namespace traind {
namespace {

Batch numbered(std::int64_t k) {
  Batch batch;
  batch.batch_size = static_cast<int>(k);
  return batch;
}

TEST(BatchStream, GivesEveryBatchOnceAndInOrder) {
  BatchStream stream(3, 50, numbered);
  for (int k = 3; k < 50; ++k) EXPECT_EQ(stream.next().batch_size, k);
}

TEST(BatchStream, LoadsTheNextOnesBeforeTheyAreAskedForAndNoMore) {
  std::atomic<int> loaded = 0;
  std::promise<void> third;
  {
    BatchStream stream(0, 100, [&](std::int64_t k) {
      if (++loaded == 3) third.set_value();
      return numbered(k);
    });
    stream.next();
    // One was taken, so that two may lie ready: the third is loaded without being asked for.
    third.get_future().wait();
    EXPECT_EQ(stream.next().batch_size, 1);
  }
  EXPECT_LE(loaded, 4) << "two taken and two ahead";
}

TEST(BatchStream, FailsInTurnAndNotBefore) {
  BatchStream stream(0, 10, [](std::int64_t k) {
    if (k == 2) throw Error(ErrorKind::kData, "line 7 is gone");
    return numbered(k);
  });
  EXPECT_EQ(stream.next().batch_size, 0);
  EXPECT_EQ(stream.next().batch_size, 1);
  EXPECT_THROW(stream.next(), Error);
  EXPECT_THROW(stream.next(), Error) << "and stays failed";
}

TEST(BatchStream, CanBeLeftAtAnyPoint) {
  for (int taken = 0; taken < 5; ++taken) {
    BatchStream stream(0, 1000, numbered);
    for (int k = 0; k < taken; ++k) stream.next();
  }
  BatchStream empty(4, 4, numbered);
}

}  // namespace
}  // namespace traind
