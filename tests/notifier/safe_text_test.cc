#include "notifier/safe_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace traind {
namespace {

using testing::ElementsAre;

TEST(HtmlEscaped, LeavesNothingThatOpensATagOrEndsAnAttribute) {
  EXPECT_EQ(html_escaped("<a href=\"x\">&'"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
}

TEST(Wrapped, BreaksAtSpacesOnly) {
  EXPECT_THAT(wrapped("one two  three", 7), ElementsAre("one two", "three"));
  EXPECT_THAT(wrapped("a longerthanthat b", 5), ElementsAre("a", "longerthanthat", "b"));
  EXPECT_THAT(wrapped("  ", 5), ElementsAre());
}

}  // namespace
}  // namespace traind
