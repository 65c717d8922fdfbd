#include "model/checkpoint/codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/base/error.h"
#include "model/base/files.h"
#include "tests/checkpoint/sample.h"

namespace traind {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

template <typename Call>
Error error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return {ErrorKind::kCancelled, ""};
}

TEST(Codec, GivesBackEveryBit) {
  const Sample sample;
  const std::string file = file_of(sample.view());
  EXPECT_TRUE(is_same(decode_checkpoint(bytes_of(file)), sample.view()));
}

TEST(Codec, GivesBackACheckpointOfNothing) {
  const std::string file = file_of({});
  const CheckpointContent content = decode_checkpoint(bytes_of(file));
  EXPECT_TRUE(content.metadata.empty());
  EXPECT_TRUE(content.tensors.empty());
}

TEST(Codec, WritesTheSameBytesForTheSameState) {
  const Sample first;
  const Sample second;
  EXPECT_EQ(file_of(first.view()), file_of(second.view()));
}

TEST(Codec, StartsTensorsAtAMultipleOf64) {
  const Sample sample;
  CheckpointView view = sample.view();
  for (int i = 0; i < 70; ++i) {
    view.metadata["padding"].push_back('x');
    const std::string header = encode_header(view);
    ASSERT_EQ(header.size() % 64, 0u);
    ASSERT_EQ(header[8], '{');
  }
}

TEST(Codec, LoadsTheFrozenFileOfFormat1) {
  const std::string file = read_whole(std::string(TRAIND_TEST_DATA) + "/checkpoint_v1.safetensors");
  const Sample sample;
  EXPECT_TRUE(is_same(decode_checkpoint(bytes_of(file)), sample.view()));
}

TEST(Codec, ReadsMetadataFromTheFirstBytes) {
  const Sample sample;
  const std::string file = file_of(sample.view());
  const std::uint64_t needed = header_bytes(bytes_of(file).first(8), file.size());
  EXPECT_EQ(decode_metadata(bytes_of(file).first(needed), file.size()), sample.view().metadata);
  const Error error =
      error_of([&] { decode_metadata(bytes_of(file).first(needed - 1), file.size()); });
  EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
}

TEST(Codec, SeesFromTheHeaderThatTheFileHasAnotherSize) {
  const Sample sample;
  const std::string file = file_of(sample.view());
  for (const std::uint64_t size : {file.size() - 1, file.size() + 1, std::size_t{1} << 62}) {
    const Error error = error_of([&] { decode_metadata(bytes_of(file), size); });
    EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
  }
}

TEST(Codec, NamesWhatACheckpointLacks) {
  const Sample sample;
  const std::string file = file_of(sample.view());
  const CheckpointContent content = decode_checkpoint(bytes_of(file));
  EXPECT_EQ(content.meta("epoch"), "3");
  EXPECT_THAT(content.tensor("encoder.weight_ih_l0").shape, ElementsAre(2, 3));
  EXPECT_THAT(error_of([&] { content.meta("step"); }).what(), HasSubstr("\"step\""));
  const Error error = error_of([&] { content.tensor("decoder"); });
  EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
  EXPECT_THAT(error.what(), HasSubstr("\"decoder\""));
}

TEST(Codec, RefusesToWriteWhatCouldNotBeRead) {
  const std::vector<float> two = {1, 2};
  const std::vector<CheckpointView> impossible = {{{}, {{"a", {2}, two}, {"a", {2}, two}}},
                                                  {{}, {{"a", {3}, two}}},
                                                  {{}, {{"a", {-1, -2}, two}}},
                                                  {{}, {{"a", {std::int64_t{1} << 62, 8, 2}, two}}},
                                                  {{}, {{"__metadata__", {2}, two}}},
                                                  {{}, {{"\xFF", {2}, two}}},
                                                  {{{"key", "\xC0\x80"}}, {}},
                                                  {{{"traind.format", "2"}}, {}},
                                                  {{{"traind.xxh64", ""}}, {}},
                                                  {{{"traind.header_xxh64", ""}}, {}}};
  for (std::size_t i = 0; i < impossible.size(); ++i) {
    SCOPED_TRACE(i);
    EXPECT_EQ(error_of([&] { encode_header(impossible[i]); }).kind(), ErrorKind::kInternal);
  }
}

TEST(Digest, SeesNamesShapesValuesAndOrder) {
  const std::vector<float> values = {1, 2, 3, 4};
  const std::vector<float> other = {1, 2, 3, -4};
  const std::vector<float> copy(values.begin(), values.end());
  const TensorView a{"a", {4}, values};
  const TensorView b{"b", {4}, values};
  const auto digest = [](const std::vector<TensorView>& tensors) { return digest_of(tensors); };
  const std::vector<std::string> digests = {digest({}),
                                            digest({a}),
                                            digest({b}),
                                            digest({{"a", {2, 2}, values}}),
                                            digest({a, b}),
                                            digest({b, a}),
                                            digest({{"a", {4}, other}})};
  for (std::size_t i = 0; i < digests.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(digests[i], digests[j]) << i << " " << j;
  }
  EXPECT_EQ(digest({a, b}), digest({{"a", {4}, copy}, b}));
}

// The digest is compared between machines and in mails: it must stay what it is.
TEST(Digest, IsThatOfFormat1) {
  const Sample sample;
  EXPECT_EQ(digest_of(sample.view().tensors), "644c17e455b6c79d");
}

}  // namespace
}  // namespace traind
