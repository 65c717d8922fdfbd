#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/base/error.h"
#include "model/data/subwords.h"

namespace traind {
namespace {

TEST(SubwordsAbsent, AreRefusedWithTheRemedy) {
  for (const bool given : {true, false}) {
    try {
      if (given) {
        SubwordModel{""};
      } else {
        learn_subwords({}, 10, {});
      }
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kConfig);
      EXPECT_THAT(error.what(), testing::HasSubstr("install libsentencepiece-dev"));
    }
  }
}

}  // namespace
}  // namespace traind
