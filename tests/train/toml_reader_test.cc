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

TEST(TomlQuoted, SurvivesAReading) {
  const std::string odd = "tab\t quote\" backslash\\ line\n bell\x07 umlaut \xc3\xa4";
  TomlReader in("x = " + toml_quoted(odd) + "\n", "f.toml");
  EXPECT_EQ(in.text("", "x", ""), odd);
}

}  // namespace
}  // namespace traind
