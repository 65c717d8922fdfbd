#include "model/data/code_point_table.h"

#include <gtest/gtest.h>

#include <vector>

namespace traind {
namespace {

TEST(CodePointTable, KeepsWhatWasSetAndKnowsNothingElse) {
  CodePointTable<int> table(7);
  EXPECT_EQ(table.at(0x10FFFF), 7);
  table[0x10FFFF] = 1;
  table[U'a'] = 2;
  EXPECT_EQ(table.at(0x10FFFF), 1);
  EXPECT_EQ(table.at(0x10FFFE), 7) << "beside one that was set";
  EXPECT_EQ(table.at(U'a'), 2);
  EXPECT_EQ(table.at(0x1F600), 7) << "in a block that nothing is in";
}

TEST(CodePointTable, GoesThroughThemInOrder) {
  CodePointTable<int> table(0);
  for (const char32_t point : {0x1F600, 0x41, 0x10FFFF, 0x100}) table[point] = 1;
  std::vector<char32_t> seen;
  table.each([&](char32_t point, int value) {
    if (value != 0) seen.push_back(point);
  });
  EXPECT_EQ(seen, (std::vector<char32_t>{0x41, 0x100, 0x1F600, 0x10FFFF}));
}

}  // namespace
}  // namespace traind
