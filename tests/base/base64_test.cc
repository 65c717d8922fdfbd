#include "model/base/base64.h"

#include <gtest/gtest.h>

#include <random>

namespace traind {
namespace {

TEST(Base64, AgreesWithRfc4648) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xFB\xFF"), "+/8=");
}

TEST(Base64, ReadsBackAnyBytes) {
  std::mt19937 random(1);
  for (std::size_t size = 0; size < 200; ++size) {
    std::string bytes;
    for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(random());
    std::string back = "older";
    ASSERT_TRUE(from_base64(base64(bytes), back));
    EXPECT_EQ(back, bytes);
  }
}

TEST(Base64, RefusesWhatItWouldNotWrite) {
  for (const char* text : {"Z", "Zg", "Zg=", "=g==", "Z===", "====", "Zg==Zg==", "Zm9v ", "Zm9v\n",
                           "Zm-v", "Zm8=Zm9v", "Zh==", "Zm9=", "Z=g="}) {
    std::string bytes;
    EXPECT_FALSE(from_base64(text, bytes)) << text;
  }
}

}  // namespace
}  // namespace traind
