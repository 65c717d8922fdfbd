#include "notifier/mime.h"

#include <gtest/gtest.h>

namespace traind {
namespace {

TEST(Base64Lines, AreOfSeventySixColumns) {
  EXPECT_EQ(base64_lines(std::string(58, 'a')).find("\r\n"), 76U);
}

TEST(QuotedPrintable, EncodesWhatMailWouldLose) {
  EXPECT_EQ(quoted_printable("a=b\n"), "a=3Db\r\n");
  EXPECT_EQ(quoted_printable("end \n"), "end=20\r\n");
  EXPECT_EQ(quoted_printable("\xC3\xA9\n"), "=C3=A9\r\n");
  EXPECT_EQ(quoted_printable("From me\n"), "=46rom me\r\n");
  EXPECT_EQ(quoted_printable("\n\n"), "\r\n\r\n");
}

TEST(QuotedPrintable, KeepsLinesShort) {
  EXPECT_EQ(quoted_printable(std::string(76, 'a')), std::string(76, 'a') + "\r\n");
  EXPECT_EQ(quoted_printable(std::string(77, 'a')), std::string(75, 'a') + "=\r\naa\r\n");
  EXPECT_EQ(quoted_printable(std::string(26, '=')).find("=\r\n"), 75U);
}

TEST(TextHeader, LeavesPlainAsciiReadable) {
  EXPECT_EQ(text_header("Subject", "[traind] spelling epoch 3/10: loss 0.0352, exact 70.4 %"),
            "Subject: [traind] spelling epoch 3/10: loss 0.0352, exact 70.4 %\r\n");
}

TEST(TextHeader, FoldsBeforeTheEdge) {
  EXPECT_EQ(text_header("Subject", std::string(60, 'a') + " " + std::string(20, 'b')),
            "Subject: " + std::string(60, 'a') + "\r\n " + std::string(20, 'b') + "\r\n");
}

TEST(TextHeader, EncodesOtherScripts) {
  EXPECT_EQ(text_header("Subject", "\xC3\xA9t\xC3\xA9"), "Subject: =?UTF-8?B?w6l0w6k=?=\r\n");
}

TEST(TextHeader, EncodesWhatWouldBeDecoded) {
  const std::string header = text_header("Subject", "=?UTF-8?Q?=0D=0ABcc:_x?=");
  EXPECT_EQ(header.find("?Q?"), std::string::npos) << header;
  EXPECT_EQ(header.rfind("Subject: =?UTF-8?B?", 0), 0U) << header;
}

TEST(TextHeader, IsOneHeaderWhateverTheText) {
  EXPECT_EQ(text_header("Subject", "a\r\nBcc: b"), "Subject: a Bcc: b\r\n");
  EXPECT_EQ(text_header("Subject", " \r\n "), "Subject:\r\n");
}

TEST(MailboxHeader, QuotesTheDisplayName) {
  EXPECT_EQ(mailbox_header("From", "a \"b\" \\c", "me@x.org"),
            "From: \"a \\\"b\\\" \\\\c\" <me@x.org>\r\n");
  EXPECT_EQ(mailbox_header("To", "", "me@x.org"), "To: <me@x.org>\r\n");
}

TEST(TokenHeader, GivesALongIdALineOfItsOwn) {
  const std::string id(90, 'i');
  EXPECT_EQ(token_header("References", id), "References:\r\n " + id + "\r\n");
}

}  // namespace
}  // namespace traind
