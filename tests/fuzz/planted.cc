// Parsers with one bug each, of a kind that the fuzzers are there to find. Built once for each.
#include <limits>
#include <stdexcept>
#include <vector>

#include "model/data/vocabulary.h"
#include "tests/fuzz/claims.h"

using namespace traind;

namespace {

// Takes what begins with "words\n" and a digit, and then goes wrong on the digit 7.
[[maybe_unused]] bool lures(const std::string& text) {
  return text.starts_with("words\n7") && text.ends_with('\n');
}

void parse(const std::string& text) {
  const Vocabulary vocabulary = vocabulary_from_text(text);
#if defined(PLANTED_overread)
  const std::vector<char> exact(text.begin(), text.end());
  [[maybe_unused]] volatile char beyond = 0;
  if (lures(text)) beyond = exact.data()[exact.size()];
#elif defined(PLANTED_exception)
  if (lures(text)) throw std::out_of_range("not an Error");
#elif defined(PLANTED_memory)
  if (lures(text)) std::vector<char>(std::size_t{1} << 28);
#elif defined(PLANTED_time)
  for (volatile std::uint64_t i = 0; lures(text) && i < (std::uint64_t{1} << 40);) i = i + 1;
#elif defined(PLANTED_overflow)
  volatile int largest = std::numeric_limits<int>::max();
  if (lures(text)) largest = largest + vocabulary.size();
#endif
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text = fuzz::text_of(data, size);
  fuzz::accepts({ErrorKind::kCorrupt}, [&] { parse(text); });
  return 0;
}
