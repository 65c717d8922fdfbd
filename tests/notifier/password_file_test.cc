#include "notifier/password_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>

#include "model/base/error.h"
#include "tests/notifier/test_folder.h"

namespace traind {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::string refusal(const std::string& path) {
  try {
    read_password(path);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(PasswordFile, GivesTheLineWithoutItsEnd) {
  const TestFolder folder;
  EXPECT_EQ(read_password(folder.write("a", "s3cret\n")), "s3cret");
  EXPECT_EQ(read_password(folder.write("b", " two words \r\n")), " two words ");
}

TEST(PasswordFile, IsRefusedWhenOthersMayReadIt) {
  const TestFolder folder;
  const std::string path = folder.write("password", "s3cret\n");
  for (const mode_t mode : {0644, 0640, 0604, 0620}) {
    ASSERT_EQ(chmod(path.c_str(), mode), 0);
    EXPECT_THAT(refusal(path), AllOf(HasSubstr("chmod 600 " + path), Not(HasSubstr("s3cret"))));
  }
}

TEST(PasswordFile, IsTakenFromSystemdsFolderAsItIs) {
  const TestFolder folder;
  const std::string path = folder.write("password", "s3cret\n");
  ASSERT_EQ(chmod(path.c_str(), 0440), 0);
  setenv("CREDENTIALS_DIRECTORY", folder.path().c_str(), 1);
  EXPECT_EQ(read_password(path), "s3cret");
  // A path that only begins like one in that folder gains nothing.
  const TestFolder other;
  const std::string outside = other.write("password", "s3cret\n");
  ASSERT_EQ(chmod(outside.c_str(), 0440), 0);
  const std::string detour = folder.path() + "/../" +
                             std::filesystem::path(other.path()).filename().string() + "/password";
  EXPECT_THAT(refusal(detour), HasSubstr("chmod 600"));
  unsetenv("CREDENTIALS_DIRECTORY");
}

TEST(PasswordFile, IsRefusedWhenItHoldsNoPassword) {
  const TestFolder folder;
  EXPECT_THAT(refusal(folder.write("empty", "\n")), HasSubstr("in one line"));
  EXPECT_THAT(refusal(folder.write("two", "s3cret\nmore\n")),
              AllOf(HasSubstr("in one line"), Not(HasSubstr("s3cret"))));
  EXPECT_THAT(refusal(folder.write("long", std::string(5000, 'x'))), HasSubstr("4096"));
  EXPECT_THAT(refusal(folder.path("missing")), HasSubstr(folder.path("missing")));
  EXPECT_THAT(refusal(folder.path()), HasSubstr("not a regular file"));
}

TEST(PasswordFile, DoesNotMakeTheMailerWaitOnAFifo) {
  const TestFolder folder;
  const std::string path = folder.path("fifo");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_THAT(refusal(path), HasSubstr("not a regular file"));
}

}  // namespace
}  // namespace traind
