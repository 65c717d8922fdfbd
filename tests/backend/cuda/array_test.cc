// The 16-bit numbers of the host against what the formats say, for every one of them.
#include "model/backend/cuda/array.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace traind::cuda {
namespace {

struct Format {
  const char* name;
  Type type;
  int fraction_bits, exponent_bits;
  std::uint16_t (*to)(float);
  float (*from)(std::uint16_t);

  std::uint16_t infinity() const {
    return static_cast<std::uint16_t>(((1 << exponent_bits) - 1) << fraction_bits);
  }
  // Of a finite number without its sign.
  double value_of(int bits) const {
    const int exponent = bits >> fraction_bits;
    const int fraction = bits & ((1 << fraction_bits) - 1);
    const int bias = (1 << (exponent_bits - 1)) - 1;
    const int whole = exponent == 0 ? 0 : 1 << fraction_bits;
    return std::ldexp(whole + fraction, (exponent == 0 ? 1 : exponent) - bias - fraction_bits);
  }
};
const Format kFormats[] = {{"half", Type::kHalf, 10, 5, to_half, from_half},
                           {"bfloat16", Type::kBfloat16, 7, 8, to_bfloat16, from_bfloat16}};
constexpr std::uint16_t kSign = 0x8000;

TEST(ArrayNumbers, HaveTheValueThatTheirFormatSays) {
  for (const Format& format : kFormats) {
    SCOPED_TRACE(format.name);
    for (int bits = 0; bits < format.infinity(); ++bits) {
      const auto positive = static_cast<std::uint16_t>(bits);
      const auto negative = static_cast<std::uint16_t>(bits | kSign);
      ASSERT_EQ(format.from(positive), format.value_of(bits)) << bits;
      ASSERT_EQ(format.from(negative), -format.value_of(bits)) << bits;
      ASSERT_EQ(std::signbit(format.from(negative)), true) << bits;
      ASSERT_EQ(format.to(format.from(positive)), positive);
      ASSERT_EQ(format.to(format.from(negative)), negative);
    }
  }
}

// Between every number and the next: the middle goes to the even one, all else to the nearer.
TEST(ArrayNumbers, AreRoundedToTheNearestAndTiesToEven) {
  for (const Format& format : kFormats) {
    SCOPED_TRACE(format.name);
    for (int bits = 0; bits + 1 < format.infinity(); ++bits) {
      const double below = format.value_of(bits);
      const double above = format.value_of(bits + 1);
      const auto middle = static_cast<float>((below + above) / 2);
      if (middle != (below + above) / 2) continue;  // only where floats are as scarce
      const int even = bits % 2 == 0 ? bits : bits + 1;
      ASSERT_EQ(format.to(middle), even);
      ASSERT_EQ(format.to(-middle), even | kSign);
      ASSERT_EQ(format.to(std::nextafter(middle, 0.0f)), bits);
      ASSERT_EQ(format.to(std::nextafter(middle, INFINITY)), bits + 1);
    }
  }
}

TEST(ArrayNumbers, EndAtInfinityAndKeepWhatIsNoNumber) {
  for (const Format& format : kFormats) {
    SCOPED_TRACE(format.name);
    const double largest = format.value_of(format.infinity() - 1);
    const double step = largest - format.value_of(format.infinity() - 2);
    const auto tie = static_cast<float>(largest + step / 2);
    EXPECT_EQ(format.to(std::nextafter(tie, 0.0f)), format.infinity() - 1);
    EXPECT_EQ(format.to(tie), format.infinity());
    EXPECT_EQ(format.to(INFINITY), format.infinity());
    EXPECT_EQ(format.to(-INFINITY), format.infinity() | kSign);
    EXPECT_EQ(format.from(format.infinity()), INFINITY);
    // Also where only the lowest or every bit of the fraction is set, which rounding could lose.
    for (const std::uint32_t bits : {0x7FC00000u, 0x7F800001u, 0x7FFFFFFFu, 0xFFFFFFFFu}) {
      EXPECT_TRUE(std::isnan(format.from(format.to(float_of(bits))))) << bits;
    }
  }
}

TEST(ArrayNumbers, LieWhereTheirIndexSays) {
  for (const Type type : {Type::kFloat, Type::kBfloat16, Type::kHalf}) {
    std::vector<float> memory(8, 0.0f);
    const Array array{memory.data(), type, 0};
    for (std::size_t i = 0; i < 8; ++i) array.set(i, static_cast<float>(i) - 3.5f);
    for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(array.get(i), static_cast<float>(i) - 3.5f);
    EXPECT_EQ(array.part(5).get(2), 3.5f);
  }
}

}  // namespace
}  // namespace traind::cuda
