#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "model/base/error.h"
#include "notifier/mail_transport.h"
#include "tests/notifier/sample_reports.h"
#include "tests/notifier/test_folder.h"

namespace traind {
namespace {

using testing::HasSubstr;

TEST(FolderTransport, WritesTheMessageAsItIs) {
  const TestFolder folder;
  const std::string place = folder.path("a/b/mails");
  const auto transport = make_folder_transport(place);
  EXPECT_EQ(transport->description(), place);
  const SendResult result =
      transport->send({"from@x.org", "me@x.org", "spelling-epoch-3-17", "Subject: x\r\n\r\n.\r\n"});
  EXPECT_EQ(result.outcome, SendOutcome::kSent);
  EXPECT_THAT(result.detail, HasSubstr("spelling-epoch-3-17.eml"));
  EXPECT_EQ(content_of(place + "/spelling-epoch-3-17.eml"), "Subject: x\r\n\r\n.\r\n");
}

TEST(FolderTransport, SendingTwiceLeavesOneFile) {
  const TestFolder folder;
  const auto transport = make_folder_transport(folder.path());
  EXPECT_EQ(transport->send({"f@x.org", "me@x.org", "mail", "one"}).outcome, SendOutcome::kSent);
  EXPECT_EQ(transport->send({"f@x.org", "me@x.org", "mail", "two"}).outcome, SendOutcome::kSent);
  EXPECT_EQ(content_of(folder.path("mail.eml")), "two");
  const std::filesystem::directory_iterator files(folder.path());
  EXPECT_EQ(std::distance(begin(files), end(files)), 1);
}

TEST(FolderTransport, WritesNothingOutsideItsFolder) {
  const TestFolder folder;
  const auto transport = make_folder_transport(folder.path("mails"));
  std::vector<std::string> stems = {"../mail", "a/b", ".hidden", "..", "a b", "a\nb", "/tmp/x"};
  for (const std::string& text : hostile_strings()) stems.push_back("../" + text);
  for (const std::string& stem : stems) {
    const SendResult result = transport->send({"f@x.org", "me@x.org", stem, "bytes"});
    EXPECT_EQ(result.outcome, SendOutcome::kPermanent) << stem;
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path("mails")));
}

TEST(FolderTransport, TriesAgainWhenTheFolderIsGone) {
  const TestFolder folder;
  const auto transport = make_folder_transport(folder.path("mails"));
  std::filesystem::remove(folder.path("mails"));
  const SendResult result = transport->send({"f@x.org", "me@x.org", "mail", "bytes"});
  EXPECT_EQ(result.outcome, SendOutcome::kTemporary);
  EXPECT_THAT(result.detail, HasSubstr(folder.path("mails")));
}

TEST(FolderTransport, SaysAtOnceThatItCannotMakeTheFolder) {
  const TestFolder folder;
  folder.write("file", "");
  EXPECT_THROW(make_folder_transport(folder.path("file/mails")), Error);
  EXPECT_THROW(make_folder_transport(""), Error);
}

}  // namespace
}  // namespace traind
