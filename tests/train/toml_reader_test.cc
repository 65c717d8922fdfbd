// The parts of the TOML reader that the run file does not use.
#include "model/base/toml_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/base/quoting.h"

namespace traind {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(TomlReader, ReadsListsOfTexts) {
  TomlReader in("[mail]\nto = [\"a@b.c\", \"d@e.f\"]\n", "f.toml");
  EXPECT_THAT(in.texts("mail", "to", {}), ElementsAre("a@b.c", "d@e.f"));
  EXPECT_NO_THROW(in.refuse_unknown());
}

TEST(TomlReader, NamesTheLineOfAListElementOfTheWrongType) {
  TomlReader in("to = [\n\"a\",\n3]\n", "f.toml");
  try {
    in.texts("", "to", {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "f.toml:3: to must be a list of texts");
  }
}

TEST(TomlReader, ReportsTheFirstUnknownKeyOfTheFile) {
  TomlReader in("zeta = 1\nalpha = 2\n", "f.toml");
  in.text("", "name", "");
  try {
    in.refuse_unknown();
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("f.toml:1: unknown key 'zeta'"));
  }
}

std::string refusal_of(const std::string& text) {
  try {
    TomlReader in(text, "f.toml");
    in.text("", "a", "");
    in.texts("", "b", {});
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kConfig);
    return error.what();
  }
  return "";
}

// toml++ takes tables in tables apart by recursion, and the stack is not as large as a file can be.
TEST(TomlReader, RefusesAKeyOfAHundredThousandParts) {
  std::string parts = "a";
  for (int i = 0; i < 100'000; ++i) parts += ".a";
  for (const std::string& text : {"[" + parts + "]\n", parts + " = 1\n", "[[ " + parts + "]]\n",
                                  "x = {" + parts + " = 1}\n"}) {
    EXPECT_THAT(refusal_of("\ns = '''\n'''\n" + text), HasSubstr("f.toml:4: a key of more than"));
  }
}

TEST(TomlReader, TakesDotsThatPartNoKey) {
  const std::string dots(100, '.');
  for (const std::string& text :
       {"a = \"" + dots + "\"\n", "a = '" + dots + "'\n", "a = '''\n" + dots + "\n'''\n",
        "a = \"\"\"\\\"\"" + dots + "\"\"\"\n", "# " + dots + "\n",
        "b = [\"" + dots + "\", \"" + dots + "\"]\n"}) {
    EXPECT_EQ(refusal_of(text), "") << text;
  }
}

TEST(TomlReader, RefusesATextThatTheSystemWouldCutShort) {
  EXPECT_THAT(refusal_of("a = \"x\\u0000y\"\n"), HasSubstr("f.toml:1: a has a zero byte"));
  EXPECT_THAT(refusal_of("b = [\"x\",\n\"\\u0000\"]\n"), HasSubstr("f.toml:2: b has a zero byte"));
}

TEST(TomlQuoted, SurvivesAReading) {
  const std::string odd = "tab\t quote\" backslash\\ line\n bell\x07 umlaut \xc3\xa4";
  TomlReader in("x = " + toml_quoted(odd) + "\n", "f.toml");
  EXPECT_EQ(in.text("", "x", ""), odd);
}

}  // namespace
}  // namespace traind
