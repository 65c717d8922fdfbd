#include <gtest/gtest.h>

#include "notifier/mail.h"
#include "tests/notifier/sample_reports.h"

namespace traind {
namespace {

TEST(Address, AcceptsOrdinaryOnes) {
  for (const char* address :
       {"me@example.org", "first.last+tag@mail.example.co.uk", "root@localhost", "o'neil@x.org",
        "traind@ip-10-0-0-7.ec2.internal", "a@b", "1@2.3"}) {
    EXPECT_TRUE(is_valid_address(address)) << address;
  }
}

TEST(Address, RefusesWhatIsNoPlainAddress) {
  for (const char* address : {"",
                              "@",
                              "me",
                              "me@",
                              "@example.org",
                              "me@@example.org",
                              "a@b@c",
                              "me @example.org",
                              "me@exam ple.org",
                              "<me@example.org>",
                              "Me <me@example.org>",
                              "\"me\"@example.org",
                              ".me@example.org",
                              "me.@example.org",
                              "m..e@example.org",
                              "me@.org",
                              "me@example.",
                              "me@-example.org",
                              "me@example-.org",
                              "me@[127.0.0.1]",
                              "me@exa_mple.org",
                              "me@example.org,you@example.org",
                              "me@example.org;",
                              "m(e)@example.org",
                              "me\\@x.org",
                              "m\xC3\xBC@example.org",
                              "me@ex\xC3\xA4mple.org",
                              "me@example.org\r\nRCPT TO:<x@y>",
                              "me@example.org\n",
                              "me\t@example.org",
                              "me:you@example.org"}) {
    EXPECT_FALSE(is_valid_address(address)) << address;
  }
}

TEST(Address, LetsNoCharacterThroughThatMeansSomethingInAHeader) {
  for (const std::string& text : hostile_strings()) {
    for (const std::string& address : {text + "@example.org", "me@" + text, text}) {
      if (!is_valid_address(address)) continue;
      for (const char c : address) {
        EXPECT_TRUE(c > ' ' && c <= '~') << address;
        EXPECT_EQ(std::string("\"<>()[],;:\\").find(c), std::string::npos) << address;
      }
    }
  }
}

TEST(Address, KeepsToTheLengthsOfSmtp) {
  const std::string label(63, 'd');
  EXPECT_TRUE(is_valid_address(std::string(64, 'l') + "@x.org"));
  EXPECT_FALSE(is_valid_address(std::string(65, 'l') + "@x.org"));
  EXPECT_TRUE(is_valid_address("me@" + label + ".org"));
  EXPECT_FALSE(is_valid_address("me@d" + label + ".org"));
  const std::string labels = label + "." + label + "." + label + ".";  // 192
  EXPECT_TRUE(is_valid_address("me@" + labels + std::string(59, 'd')));
  EXPECT_FALSE(is_valid_address("me@" + labels + std::string(60, 'd')));
}

TEST(Address, RefusesANulByte) {
  EXPECT_FALSE(is_valid_address(std::string("me\0@example.org", 15)));
  EXPECT_FALSE(is_valid_address(std::string("me@example\0.org", 15)));
}

}  // namespace
}  // namespace traind
