#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "model/data/batches.h"
#include "tests/data/corpus_case.h"

namespace traind {
namespace {

constexpr std::int64_t kMebi = 1 << 20;

// A figure of /proc/self/status in bytes.
std::int64_t own_status(const std::string& key) {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word) {
    std::int64_t kilobytes = 0;
    if (word == key + ":" && status >> kilobytes) return kilobytes * 1024;
  }
  ADD_FAILURE() << "no " << key;
  return 0;
}

class LargeCorpus : public CorpusCase {
 protected:
  static constexpr int kLines = 1'000'000;

  // 122 MiB in lines of 128 bytes, all different.
  std::string write_large() {
    const std::string path = folder_ / "large.txt";
    std::ofstream file(path, std::ios::binary);
    std::string block;
    for (int i = 0; i < kLines; ++i) {
      std::string line = std::to_string(i) + " ";
      line.append(127 - line.size(), static_cast<char>('a' + i % 26));
      block += line + "\n";
      if (block.size() > std::size_t{1} << 20) {
        file << block;
        block.clear();
      }
    }
    file << block;
    return path;
  }
};

TEST_F(LargeCorpus, CostsOffsetsAndNotItsSize) {
  DataSection data = one_file(CorpusFormat::kLines, write_large(), 0.001);
  data.max_length = 200;
  [[maybe_unused]] const std::int64_t own_before = own_status("RssAnon");
  const std::int64_t mapped_before = own_status("RssFile");
  std::int64_t most_mapped = 0;
  const auto watch = [&] { most_mapped = std::max(most_mapped, own_status("RssFile")); };
  const auto corpus = open_corpus(data, {}, {folder_.path(), 1, watch});
  const auto vocabulary = corpus->target_vocabulary();
  EXPECT_EQ(corpus->report().train_examples + corpus->report().valid_examples, kLines);

#ifndef TRAIND_SANITIZED
  // 8 bytes a line are 7.6 MiB; the rest is slack for the allocator. Sanitizers keep what was freed
  // and shadow what is used, so that under them the figure says nothing about the program.
  EXPECT_LT(own_status("RssAnon") - own_before, 8 * kLines * 3 / 2 + 4 * kMebi);
#endif
  // The window of the file that is resident while it is read, not all of it.
  EXPECT_LT(most_mapped - mapped_before, 48 * kMebi);

  // And it trains: batches from all over the file.
  const BatchPlan plan(*corpus, 1, 1, 64);
  for (std::int64_t k = 0; k < plan.size(); k += plan.size() / 7) {
    const Batch batch = load_batch(*corpus, plan, k, 1, vocabulary, vocabulary);
    EXPECT_GT(batch.target_tokens(), 0);
  }
}

}  // namespace
}  // namespace traind
