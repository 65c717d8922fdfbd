// What a build without zlib and libzstd says: unpack.cc is compiled here without either.
#include <gmock/gmock.h>

#include "model/base/error.h"
#include "model/data/unpack.h"

namespace traind {
namespace {

using testing::HasSubstr;

using Unpack = void (*)(std::string_view, const std::string&, const TakePiece&);

std::string refusal_of(Unpack unpack, const std::string& path) {
  try {
    unpack("anything", path, {});
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kData);
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

TEST(UnpackWithoutLibraries, SaysThatThisBuildCannotReadTheFile) {
  EXPECT_THAT(refusal_of(unpack_gzip, "c.gz"), HasSubstr("c.gz: this build cannot read it"));
  EXPECT_THAT(refusal_of(unpack_gzip, "c.gz"), HasSubstr("zlib"));
  EXPECT_THAT(refusal_of(unpack_zstd, "c.zst"), HasSubstr("c.zst: this build cannot read it"));
  EXPECT_THAT(refusal_of(unpack_zstd, "c.zst"), HasSubstr("libzstd"));
}

}  // namespace
}  // namespace traind
