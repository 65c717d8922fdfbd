#include "model/train/bleu.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace traind {
namespace {

std::vector<std::string> cut(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::string part;
  std::istringstream in(text);
  while (std::getline(in, part, at)) parts.push_back(part);
  if (text.ends_with(at)) parts.emplace_back();
  return parts;
}

// A block of data/bleu.txt, as sacrebleu_check.py describes it.
struct Block {
  std::vector<std::string> head;
  std::vector<std::vector<std::string>> rows;
};

std::vector<Block> frozen_blocks(const std::string& kind) {
  std::ifstream file(TRAIND_BLEU_FIGURES);
  std::vector<Block> blocks;
  bool within = false;
  for (std::string line; std::getline(file, line);) {
    if (line.empty()) {
      within = false;
    } else if (within) {
      blocks.back().rows.push_back(cut(line, '\t'));
    } else if (line == kind || line.starts_with(kind + " ")) {
      blocks.push_back({cut(line, ' '), {}});
      within = true;
    }
  }
  return blocks;
}

BleuSum sum_of(const Block& block) {
  BleuSum sum;
  for (const std::vector<std::string>& row : block.rows) {
    sum.add(std::span(row).subspan(1), row[0]);
  }
  return sum;
}

TEST(Bleu, AgreesWithSacrebleu) {
  const std::vector<Block> blocks = frozen_blocks("corpus");
  ASSERT_GE(blocks.size(), 18u);
  for (const Block& block : blocks) {
    EXPECT_NEAR(sum_of(block).score(), std::stod(block.head[2]), 1e-11) << block.head[1];
  }
}

TEST(Bleu, SignsItsSettingsInSacrebleusForm) {
  for (const Block& block : frozen_blocks("corpus")) {
    EXPECT_EQ(sum_of(block).signature(),
              "nrefs:" + block.head[3] +
                  "|case:mixed|eff:no|tok:13a|smooth:exp|version:traind-" TRAIND_VERSION)
        << block.head[1];
  }
}

TEST(Bleu, OfNothingIsZero) { EXPECT_EQ(BleuSum().score(), 0); }

TEST(Tokenizer13a, CutsAsSacrebleuDoes) {
  const std::vector<Block> blocks = frozen_blocks("words");
  ASSERT_EQ(blocks.size(), 1u);
  ASSERT_GE(blocks[0].rows.size(), 20u);
  for (const std::vector<std::string>& row : blocks[0].rows) {
    EXPECT_EQ(tokenize_13a(row[0]), cut(row[1], ' ')) << row[0];
  }
}

TEST(Tokenizer13a, MakesNothingOfWhiteSpace) {
  EXPECT_TRUE(tokenize_13a("").empty());
  EXPECT_TRUE(tokenize_13a(" \t\xC2\xA0").empty());
}

}  // namespace
}  // namespace traind
