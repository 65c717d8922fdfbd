// The kernels by themselves: error bounds, masks, and what the padding must not do.
#include "model/backend/cpu/kernels/kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "model/base/error.h"
#include "model/base/philox.h"
#include "tests/backend/device_case.h"

namespace traind::cpu {
namespace {

class KernelsOf : public testing::TestWithParam<SetCase> {
 protected:
  void SetUp() override {
    if (!machine_has(GetParam().set)) {
      GTEST_SKIP() << "this processor has not " << GetParam().name;
    }
    kernels_ = &kernels_for(GetParam().set);
  }
  const Kernels* kernels_ = nullptr;
};

using Row = void (*)(int, float*);

struct Bounds {
  double absolute = 0, relative = 0;
};
// The worst errors of `row` against `exact` over [-limit, limit].
template <class Exact>
Bounds worst(Row row, Exact exact, double limit) {
  constexpr int kPoints = 200001;
  std::vector<float> at(kPoints);
  for (int i = 0; i < kPoints; ++i) {
    at[static_cast<std::size_t>(i)] = static_cast<float>(limit * (2.0 * i / (kPoints - 1) - 1));
  }
  std::vector<float> values = at;
  row(kPoints, values.data());
  Bounds bounds;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double right = exact(static_cast<double>(at[i]));
    const double off = std::fabs(values[i] - right);
    bounds.absolute = std::max(bounds.absolute, off);
    if (right != 0) bounds.relative = std::max(bounds.relative, off / std::fabs(right));
  }
  return bounds;
}

TEST_P(KernelsOf, GateFunctionsKeepTheirErrorBounds) {
  const auto exact_sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  const auto exact_tanh = [](double x) { return std::tanh(x); };
  const auto exact_exp = [](double x) { return std::exp(x); };
  for (const double limit : {1e-3, 1.0, 10.0, 60.0}) {
    const Bounds sigmoid = worst(kernels_->sigmoid, exact_sigmoid, limit);
    EXPECT_LT(sigmoid.absolute, 3e-7) << limit;
    EXPECT_LT(sigmoid.relative, 1e-6) << limit;
    const Bounds tanh = worst(kernels_->tanh, exact_tanh, limit);
    EXPECT_LT(tanh.absolute, 3e-7) << limit;
    EXPECT_LT(tanh.relative, 1e-6) << limit;
    EXPECT_LT(worst(kernels_->exp, exact_exp, limit).relative, 1e-6) << limit;
  }
}

TEST_P(KernelsOf, GateFunctionsSaturateAndPassNanThrough) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  float tanh[] = {nan, inf, -inf, 1e30f, -1e30f};
  kernels_->tanh(5, tanh);
  EXPECT_TRUE(std::isnan(tanh[0]));
  for (const int i : {1, 3}) EXPECT_EQ(tanh[i], 1);
  for (const int i : {2, 4}) EXPECT_EQ(tanh[i], -1);
  float sigmoid[] = {nan, inf, -inf};
  kernels_->sigmoid(3, sigmoid);
  EXPECT_TRUE(std::isnan(sigmoid[0]));
  EXPECT_EQ(sigmoid[1], 1);
  EXPECT_LT(sigmoid[2], 1e-30);
}

TEST_P(KernelsOf, MasksAreThoseOfTheCounterBasedGenerator) {
  const DropoutKey key{0x1234567890abcdefu, 0x100000007u, 5};
  for (const std::uint64_t first : {0ull, 1ull, 6ull, 0x3fffffffdull}) {
    for (const int count : {1, 3, 64, 67, 200}) {
      std::vector<std::uint8_t> keep(static_cast<std::size_t>(count) + 1, 9);
      kernels_->mask(
          {key.seed, key.step, key.site, dropout_threshold(0.3f), first, count, keep.data()});
      for (int i = 0; i < count; ++i) {
        const std::uint64_t element = first + static_cast<std::uint64_t>(i);
        const bool kept =
            dropout_draws(key, element / 4).word[element % 4] >= dropout_threshold(0.3f);
        ASSERT_EQ(keep[static_cast<std::size_t>(i)], kept) << element;
      }
      EXPECT_EQ(keep.back(), 9) << "one past the end was touched";
    }
  }
}

struct Shape {
  int rows, cols, depth;
};

TEST_P(KernelsOf, ProductsOfAnyShapeAreRightAndStayInside) {
  for (const Shape s : {Shape{1, 1, 1}, Shape{7, 17, 3}, Shape{13, 64, 600}, Shape{200, 65, 20},
                        Shape{5, 100, 1030}, Shape{6, 48, 2}}) {
    SCOPED_TRACE(testing::Message() << s.rows << 'x' << s.cols << 'x' << s.depth);
    const auto value = [](int i, int j) { return static_cast<float>((i * 7 + j * 13) % 11 - 5); };
    std::vector<float> a, weight, c;
    for (int i = 0; i < s.rows; ++i) {
      for (int k = 0; k < s.depth; ++k) a.push_back(value(i, k));
    }
    for (int j = 0; j < s.cols; ++j) {
      for (int k = 0; k < s.depth; ++k) weight.push_back(value(k, j));
    }
    const PackSource source{
        weight.data(), static_cast<std::size_t>(s.depth), 1, s.cols, s.cols, s.depth, true};
    std::vector<float> packed(source.floats());
    kernels_->pack(source, 0, (source.width() + kernels_->panel - 1) / kernels_->panel,
                   packed.data());
    const auto depth = static_cast<std::size_t>(s.depth);
    const std::size_t even = (depth + 1) / 2 * 2;
    std::vector<float> rounded(even * s.rows);  // as many operands, of whichever length
    for (int i = 0; i < s.rows; ++i) {
      kernels_->round(s.depth, a.data() + i * depth,
                      reinterpret_cast<char*>(rounded.data()) + i * even * kernels_->round_bytes);
    }
    const std::size_t stride = s.cols + 1;  // the column after the last must stay as it is
    Product product{s.rows, s.cols, s.depth, a.data(), depth, packed.data(), nullptr, stride, true};
    for (const bool beforehand : {false, true}) {
      c.assign(s.rows * stride, 3);
      product.c = c.data();
      if (beforehand) product.a = rounded.data();
      if (beforehand) product.a_stride = even;
      product.rounded = beforehand;
      kernels_->multiply(product);
      for (int i = 0; i < s.rows; ++i) {
        for (int j = 0; j < s.cols; ++j) {
          float right = 3;  // small integers: exact in any order, and in bfloat16
          for (int k = 0; k < s.depth; ++k) right += value(i, k) * value(k, j);
          ASSERT_EQ(c[i * stride + j], right) << i << ',' << j;
        }
        ASSERT_EQ(c[i * stride + s.cols], 3);
      }
    }
  }
}

TEST_P(KernelsOf, OuterProductsOfAnyShapeAreRightAndStayInside) {
  for (const Shape s : {Shape{1, 1, 1}, Shape{7, 17, 3}, Shape{13, 64, 600}, Shape{100, 65, 20},
                        Shape{5, 100, 1030}}) {
    SCOPED_TRACE(testing::Message() << s.rows << 'x' << s.cols << 'x' << s.depth);
    const auto value = [](int i, int j) { return static_cast<float>((i * 7 + j * 13) % 11 - 5); };
    std::vector<float> a, b, c;
    for (int k = 0; k < s.depth; ++k) {
      for (int i = 0; i < s.rows; ++i) a.push_back(value(i, k));
      for (int j = 0; j < s.cols; ++j) b.push_back(value(k, j));
    }
    const int stride = s.cols + 1;
    c.assign(static_cast<std::size_t>(s.rows) * stride, 3);
    std::vector<float> scratch(kernels_->outer_scratch(s.rows));
    kernels_->multiply_outer({s.rows, s.cols, s.depth, a.data(), static_cast<std::size_t>(s.rows),
                              b.data(), static_cast<std::size_t>(s.cols), c.data(),
                              static_cast<std::size_t>(stride), scratch.data()});
    for (int i = 0; i < s.rows; ++i) {
      for (int j = 0; j < s.cols; ++j) {
        float right = 3;
        for (int k = 0; k < s.depth; ++k) right += value(i, k) * value(k, j);
        ASSERT_EQ(c[static_cast<std::size_t>(i) * stride + j], right) << i << ',' << j;
      }
      ASSERT_EQ(c[static_cast<std::size_t>(i) * stride + s.cols], 3);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, KernelsOf, testing::ValuesIn(set_cases()), name_of_set);

}  // namespace
}  // namespace traind::cpu
