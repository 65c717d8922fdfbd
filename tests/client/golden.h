// Compares a text with tests/client/goldens/NAME. With TRAIND_REGENERATE_GOLDENS=1 in the
// environment it writes the file instead, and fails, so that no run passes by accident.
#pragma once

#include <gtest/gtest.h>

#include <string>

namespace traind::test {

void expect_golden(const std::string& name, const std::string& text);

// Local times are UTC in the goldens.
class GoldenTest : public ::testing::Test {
 protected:
  void SetUp() override;
};

}  // namespace traind::test
