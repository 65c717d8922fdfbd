#include "model/base/error.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <new>
#include <set>
#include <string>
#include <system_error>
#include <vector>

namespace traind {
namespace {

const std::vector<ErrorKind> kAll = {
    ErrorKind::kConfig,  ErrorKind::kData,      ErrorKind::kIo,       ErrorKind::kNoSpace,
    ErrorKind::kCorrupt, ErrorKind::kDevice,    ErrorKind::kDiverged, ErrorKind::kNotFound,
    ErrorKind::kState,   ErrorKind::kCancelled, ErrorKind::kInternal, ErrorKind::kNoMemory};

TEST(ErrorKind, NamesAreDistinctAndLeadBack) {
  std::set<std::string> names;
  for (const ErrorKind kind : kAll) {
    EXPECT_EQ(error_kind_from_name(name_of(kind)), kind) << name_of(kind);
    names.insert(name_of(kind));
  }
  EXPECT_EQ(names.size(), kAll.size());
}

TEST(ErrorKind, UnknownNameIsInternal) {
  EXPECT_EQ(error_kind_from_name(""), ErrorKind::kInternal);
  EXPECT_EQ(error_kind_from_name("Config"), ErrorKind::kInternal);
}

TEST(ErrorKind, ExitCodesFollowSysexits) {
  EXPECT_EQ(exit_code(ErrorKind::kConfig), 78);
  EXPECT_EQ(exit_code(ErrorKind::kData), 65);
  EXPECT_EQ(exit_code(ErrorKind::kIo), 74);
  EXPECT_EQ(exit_code(ErrorKind::kNotFound), 66);
  EXPECT_EQ(exit_code(ErrorKind::kNoSpace), 73);
  EXPECT_EQ(exit_code(ErrorKind::kNoMemory), 71);
  EXPECT_EQ(exit_code(ErrorKind::kInternal), 70);
  EXPECT_EQ(exit_code(ErrorKind::kCancelled), 130);
}

TEST(ErrorKind, NoErrorExitsWithSuccess) {
  for (const ErrorKind kind : kAll) EXPECT_NE(exit_code(kind), 0) << name_of(kind);
}

TEST(SystemError, SaysWhatFailedAndWhy) {
  const Error error = system_error("/data/x: cannot be opened", EACCES);
  EXPECT_EQ(error.kind(), ErrorKind::kIo);
  EXPECT_STREQ(error.what(), "/data/x: cannot be opened: Permission denied");
}

TEST(SystemError, TellsAFullDiskFromABrokenOne) {
  EXPECT_EQ(system_error("x", ENOSPC).kind(), ErrorKind::kNoSpace);
  EXPECT_EQ(system_error("x", EDQUOT).kind(), ErrorKind::kNoSpace);
  EXPECT_EQ(system_error("x", EIO).kind(), ErrorKind::kIo);
}

TEST(ErrorOf, TellsAWantOfMemoryFromABug) {
  EXPECT_EQ(error_of(std::bad_alloc()).kind(), ErrorKind::kNoMemory);
  EXPECT_STREQ(error_of(std::bad_alloc()).what(), "out of memory: the system gave no more");
  const std::system_error no_thread(EAGAIN, std::generic_category());
  EXPECT_EQ(error_of(no_thread).kind(), ErrorKind::kNoMemory);
  EXPECT_EQ(error_of(std::system_error(EPERM, std::generic_category())).kind(),
            ErrorKind::kInternal);
  const Error other = error_of(std::out_of_range("at 7"));
  EXPECT_EQ(other.kind(), ErrorKind::kInternal);
  EXPECT_STREQ(other.what(), "at 7");
}

TEST(ErrorOf, LeavesAnErrorWhatItIs) {
  const Error error = error_of(Error(ErrorKind::kData, "line 7"));
  EXPECT_EQ(error.kind(), ErrorKind::kData);
  EXPECT_STREQ(error.what(), "line 7");
}

}  // namespace
}  // namespace traind
