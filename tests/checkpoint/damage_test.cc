// No damaged checkpoint is ever taken for a good one, and no file makes the reader crash.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "model/base/error.h"
#include "model/base/philox.h"
#include "model/checkpoint/codec.h"
#include "tests/checkpoint/sample.h"
#include "tests/checkpoint/sealed.h"

namespace traind {
namespace {

using testing::HasSubstr;

// Sanitized programs look closer and are slower: there a sample of the same damages.
#ifdef TRAIND_SANITIZED
constexpr int kThinning = 20;
#else
constexpr int kThinning = 1;
#endif

// What becomes of a file. Anything but Error is a bug and ends the test.
enum class Outcome { kGood, kCorrupt, kOther };

Outcome outcome_of(std::string_view file, std::string& why) {
  // In memory of its own and of just this size, so that a read beyond it is seen.
  const std::vector<char> exact(file.begin(), file.end());
  try {
    decode_checkpoint(std::as_bytes(std::span(exact)));
    return Outcome::kGood;
  } catch (const Error& error) {
    why = error.what();
    return error.kind() == ErrorKind::kCorrupt ? Outcome::kCorrupt : Outcome::kOther;
  }
}

bool is_found_corrupt(std::string_view file) {
  std::string why;
  return outcome_of(file, why) == Outcome::kCorrupt;
}

std::string sample_file() {
  const Sample sample;
  return file_of(sample.view());
}

// A file of some 100 KB with the tensors of a small model, as a run writes it.
std::string model_file() {
  RandomStream random(5, RandomUse::kNoise);
  std::vector<float> values(1024);
  for (float& value : values) value = static_cast<float>(random()) / 4e9f;
  CheckpointView view;
  view.metadata = {{"traind.run", "spelling"}, {"traind.config", std::string(1500, '#')}};
  for (int i = 0; i < 24; ++i) {
    view.tensors.push_back({"encoder.weight_" + std::to_string(i), {32, 32}, values});
  }
  return file_of(view);
}

TEST(Damage, EveryTruncationIsFound) {
  const std::string file = sample_file();
  for (std::size_t size = 0; size < file.size(); ++size) {
    ASSERT_TRUE(is_found_corrupt(file.substr(0, size))) << size;
  }
}

TEST(Damage, EveryTruncationOfAModelIsFound) {
  const std::string file = model_file();
  ASSERT_GT(file.size(), 100'000u);
  for (std::size_t size = 0; size < file.size(); size += kThinning) {
    ASSERT_TRUE(is_found_corrupt(std::string_view(file).substr(0, size))) << size;
  }
}

TEST(Damage, EveryFlippedBitOfAModelsHeaderIsFound) {
  std::string file = model_file();
  const std::size_t header = header_bytes(bytes_of(file).first(8), file.size());
  for (std::size_t bit = 0; bit < header * 8; bit += kThinning) {
    const char mask = static_cast<char>(1 << bit % 8);
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ mask);
    ASSERT_TRUE(is_found_corrupt(file)) << "bit " << bit % 8 << " of byte " << bit / 8;
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ mask);
  }
}

TEST(Damage, AHundredThousandFlippedBitsOfAModelAreFound) {
  std::string file = model_file();
  RandomStream random(20261122, RandomUse::kNoise);
  for (int i = 0; i < 100'000 / kThinning; ++i) {
    const std::uint32_t bit = random.below(static_cast<std::uint32_t>(file.size() * 8));
    const char mask = static_cast<char>(1 << bit % 8);
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ mask);
    ASSERT_TRUE(is_found_corrupt(file)) << "bit " << bit % 8 << " of byte " << bit / 8;
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ mask);
  }
}

TEST(Damage, EveryAddedEndIsFound) {
  for (const std::string& end : {std::string(1, '\0'), std::string(" "), std::string(4, '\0')}) {
    EXPECT_TRUE(is_found_corrupt(sample_file() + end));
  }
}

TEST(Damage, EveryFlippedBitIsFound) {
  std::string file = sample_file();
  for (std::size_t bit = 0; bit < file.size() * 8; ++bit) {
    const char mask = static_cast<char>(1 << bit % 8);
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ mask);
    ASSERT_TRUE(is_found_corrupt(file)) << "bit " << bit % 8 << " of byte " << bit / 8;
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ mask);
  }
}

// What disks and copies do: bytes overwritten, zeroed, lost, doubled or swapped.
std::string damaged(std::string file, RandomStream& random) {
  const auto place = [&] { return random.below(static_cast<std::uint32_t>(file.size())); };
  const std::uint32_t at = place();
  const std::size_t size = std::min<std::size_t>(1 + random.below(64), file.size() - at);
  switch (random.below(5)) {
    case 0:
      for (std::size_t i = at; i < at + size; ++i) file[i] = static_cast<char>(random());
      break;
    case 1:
      file.replace(at, size, size, '\0');
      break;
    case 2:
      file.erase(at, size);
      break;
    case 3:
      file.insert(at, file.substr(at, size));
      break;
    default:
      for (std::size_t i = 0; i < size; ++i) std::swap(file[at + i], file[place()]);
  }
  return file;
}

TEST(Damage, AHundredThousandRandomDamagesAreFound) {
  const std::string good = sample_file();
  RandomStream random(20261121, RandomUse::kNoise);
  int different = 0;
  const int damages = 100'000 / kThinning;
  for (int i = 0; i < damages; ++i) {
    const std::string file = damaged(good, random);
    if (file == good) continue;
    ++different;
    ASSERT_TRUE(is_found_corrupt(file)) << "damage " << i;
  }
  EXPECT_GT(different, damages * 19 / 20);
}

// A header that was tampered with and sealed again reaches the parser and the size checks.
TEST(Damage, SealedRubbishNeverCrashes) {
  const std::string good = sample_file();
  const std::size_t length = header_bytes(bytes_of(good).first(8), good.size()) - 8;
  RandomStream random(7, RandomUse::kNoise);
  int refused = 0;
  std::string why;
  for (int i = 0; i < 20'000; ++i) {
    std::string header = damaged(good.substr(8, length), random);
    if (i % 3 == 0) {
      constexpr std::string_view kTokens = "{}[]:,\"\\0123456789u ";
      for (int k = 0; k < 3; ++k) {
        header[random.below(static_cast<std::uint32_t>(header.size()))] =
            kTokens[random.below(static_cast<std::uint32_t>(kTokens.size()))];
      }
    }
    const Outcome outcome = outcome_of(sealed_file(header, good.substr(8 + length)), why);
    if (outcome == Outcome::kCorrupt) ++refused;
  }
  EXPECT_GT(refused, 10'000);
}

// The codec's metadata, with one (right) checksum for each of `sums` tensors of 4 zero bytes.
std::string metadata(int sums, const std::string& more = "", const std::string& format = "1") {
  const std::string zeros(4, '\0');
  std::string list;
  for (int i = 0; i < sums; ++i) list += (i > 0 ? " " : "") + hex64(xxh64(zeros.data(), 4));
  return R"("__metadata__":{"traind.format":")" + format +
         R"(","traind.header_xxh64":"0000000000000000","traind.xxh64":")" + list + "\"" + more +
         "}";
}

std::string tensor(const std::string& name, const std::string& shape, const std::string& offsets,
                   const std::string& dtype = "F32") {
  return "\"" + name + R"(":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" +
         offsets + "}";
}

const std::string kFour(4, '\0');
const std::string kEight(8, '\0');

// So that the rows below fail for what they say and not for a mistake in how they are built.
TEST(HostileHeader, TheSameWithoutTheHostilityIsRead) {
  for (const std::string& header :
       {"{" + metadata(1) + "," + tensor("a", "[1]", "[0,4]") + "}",
        "{" + metadata(1) + "," + tensor("a", "[]", "[0,4]") + "}",
        "{" + tensor("a", "[1,1]", "[0,4]") + " ,\n\t" + metadata(1) + "}  \r\n",
        "{" + metadata(1, R"(,"k":"\u00e9\ud83c\udf31\/\b\f\n\r\t\"\\")") + "," +
            tensor("a\\u0062", "[ 1 ]", "[ 0 , 4 ]") + "}"}) {
    std::string why;
    EXPECT_EQ(outcome_of(sealed_file(header, kFour), why), Outcome::kGood) << header << why;
  }
  const std::string reversed = "{" + metadata(2) + "," + tensor("b", "[1]", "[4,8]") + "," +
                               tensor("a", "[1]", "[0,4]") + "}";
  std::string why;
  EXPECT_EQ(outcome_of(sealed_file(reversed, kEight), why), Outcome::kGood) << why;
}

struct Hostile {
  std::string name;
  std::string header;
  std::string data;
  std::string reason;  // part of the message
};

void PrintTo(const Hostile& hostile, std::ostream* out) { *out << hostile.header.substr(0, 300); }

class HostileHeader : public testing::TestWithParam<Hostile> {};

TEST_P(HostileHeader, IsRefusedWithItsReason) {
  const std::string file = sealed_file(GetParam().header, GetParam().data);
  std::string why;
  EXPECT_EQ(outcome_of(file, why), Outcome::kCorrupt);
  EXPECT_THAT(why, HasSubstr(GetParam().reason));
  try {
    const std::uint64_t needed = header_bytes(bytes_of(file).first(8), file.size());
    decode_metadata(bytes_of(file).first(needed), file.size());
    ADD_FAILURE() << "the header alone was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
  }
}

const std::string kOne = "{" + metadata(1) + ",";
const std::string kTwo = "{" + metadata(2) + ",";
const std::string kGoodA = tensor("a", "[1]", "[0,4]");
const std::string kNoFit = "do not fit the shape";

INSTANTIATE_TEST_SUITE_P(
    Layout, HostileHeader,
    testing::Values(
        Hostile{"Overlap", kTwo + kGoodA + "," + tensor("b", "[1]", "[0,4]") + "}", kFour,
                "overlap"},
        Hostile{"PartialOverlap",
                kTwo + tensor("a", "[2]", "[0,8]") + "," + tensor("b", "[1]", "[4,8]") + "}",
                kEight, "overlap"},
        Hostile{"HoleAtTheStart", kOne + tensor("a", "[1]", "[4,8]") + "}", kEight, "hole"},
        Hostile{"HoleBetween", kTwo + kGoodA + "," + tensor("b", "[1]", "[8,12]") + "}",
                std::string(12, '\0'), "hole"},
        Hostile{"DataLeftOver", kOne + kGoodA + "}", kEight, "the file has 8"},
        Hostile{"BeyondTheFile", kOne + tensor("a", "[2]", "[0,8]") + "}", kFour, "cut off"},
        Hostile{"BackwardOffsets", kOne + tensor("a", "[1]", "[4,0]") + "}", kFour, kNoFit},
        Hostile{"ShapeSmallerThanOffsets", kOne + tensor("a", "[0]", "[0,4]") + "}", kFour, kNoFit},
        Hostile{"ShapeLargerThanOffsets", kOne + tensor("a", "[2]", "[0,4]") + "}", kFour, kNoFit},
        Hostile{"ProductWrapsToOne", kOne + tensor("a", "[274177,67280421310721]", "[0,4]") + "}",
                kFour, "too large"},
        Hostile{"ProductWrapsToZero", kOne + tensor("a", "[4294967296,4294967296]", "[0,0]") + "}",
                "", "too large"},
        Hostile{"BytesWrapToFour", kOne + tensor("a", "[4611686018427387905]", "[0,4]") + "}",
                kFour, "too large"},
        Hostile{"HugeShape", kOne + tensor("a", "[9223372036854775807]", "[0,4]") + "}", kFour,
                "too large"},
        Hostile{"HugeOffsets",
                kOne + tensor("a", "[2305843009213693951]", "[0,9223372036854775804]") + "}", kFour,
                "cut off"},
        Hostile{"NumberAbove63Bits", kOne + tensor("a", "[9223372036854775808]", "[0,4]") + "}",
                kFour, "too large"},
        Hostile{"NumberAbove64Bits", kOne + tensor("a", "[18446744073709551617]", "[0,4]") + "}",
                kFour, "too large"},
        Hostile{"OtherType", kOne + tensor("a", "[2]", "[0,4]", "F16") + "}", kFour, "type F16"},
        Hostile{"UnknownType", kOne + tensor("a", "[1]", "[0,4]", "f32") + "}", kFour, "type f32"}),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Metadata, HostileHeader,
    testing::Values(
        Hostile{"None", "{" + kGoodA + "}", kFour, "traind.header_xxh64"},
        Hostile{"Foreign", R"({"__metadata__":{"format":"pt"},)" + kGoodA + "}", kFour,
                "not a checkpoint of traind"},
        Hostile{"WithoutFormat",
                R"({"__metadata__":{"traind.header_xxh64":"0000000000000000","traind.xxh64":""}})",
                "", "traind.format"},
        Hostile{"WithoutSums",
                R"({"__metadata__":{"traind.header_xxh64":"0000000000000000",)"
                R"("traind.format":"1"}})",
                "", "traind.xxh64"},
        Hostile{"SealOutsideOfIt",
                R"({"__metadata__":{"traind.format":"1","traind.xxh64":"",)"
                R"("\"traind.header_xxh64":"0000000000000000"}})",
                "", "traind.header_xxh64"},
        Hostile{"TooFewSums", "{" + metadata(0) + "," + kGoodA + "}", kFour, "one checksum"},
        Hostile{"TooManySums", "{" + metadata(2) + "," + kGoodA + "}", kFour, "one checksum"},
        Hostile{"FormatZero", "{" + metadata(0, "", "0") + "}", "", "traind.format"},
        Hostile{"FormatNoNumber", "{" + metadata(0, "", "1x") + "}", "", "traind.format"},
        Hostile{"FormatEmpty", "{" + metadata(0, "", "") + "}", "", "traind.format"},
        Hostile{"Twice", "{" + metadata(0) + "," + metadata(0) + "}", "", "twice"},
        Hostile{"KeyTwice", "{" + metadata(0, R"(,"a":"1","a":"1")") + "}", "", "twice"},
        Hostile{"KeyTwiceByEscape", "{" + metadata(0, R"(,"a":"1","\u0061":"1")") + "}", "",
                "twice"},
        Hostile{"NumberAsValue", "{" + metadata(0, R"(,"a":1)") + "}", "", "expected \""}),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Grammar, HostileHeader,
    testing::Values(
        Hostile{"TensorTwice", kTwo + kGoodA + "," + tensor("a", "[1]", "[4,8]") + "}", kEight,
                "twice"},
        Hostile{"UnknownKey",
                kOne + R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":"y"}})", kFour,
                "unknown key"},
        Hostile{"KeyTwice",
                kOne + R"("a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                kFour, "dtype twice"},
        Hostile{"WithoutShape", kOne + R"("a":{"dtype":"F32","data_offsets":[0,4]}})", kFour,
                "lacks"},
        Hostile{"EmptyTensor", kOne + R"("a":{}})", kFour, "expected \""},
        Hostile{"ThreeOffsets", kOne + tensor("a", "[1]", "[0,4,4]") + "}", kFour, "expected ]"},
        Hostile{"NegativeExtent", kOne + tensor("a", "[-1]", "[0,4]") + "}", kFour, "whole number"},
        Hostile{"Fraction", kOne + tensor("a", "[1.0]", "[0,4]") + "}", kFour, "expected ]"},
        Hostile{"Exponent", kOne + tensor("a", "[1e0]", "[0,4]") + "}", kFour, "expected ]"},
        Hostile{"LeadingZero", kOne + tensor("a", "[01]", "[0,4]") + "}", kFour, "starts with 0"},
        Hostile{"Null", kOne + tensor("a", "null", "[0,4]") + "}", kFour, "expected ["},
        Hostile{"DeepNesting", kOne + "\"a\":" + std::string(1'000'000, '['), kFour, "expected {"},
        Hostile{"DeepShape", kOne + tensor("a", std::string(1'000'000, '['), "[0,4]") + "}", kFour,
                "whole number"},
        Hostile{"DeepObjects", kOne + "\"a\":" + std::string(1'000'000, '{'), kFour, "expected \""},
        Hostile{"TrailingComma", kOne + kGoodA + ",}", kFour, "expected \""},
        Hostile{"TrailingText", kOne + kGoodA + "}x", kFour, "follows the header's end"},
        Hostile{"TrailingNul", kOne + kGoodA + "}" + kFour, kFour, "follows the header's end"},
        Hostile{"LeadingSpace", " " + kOne + kGoodA + "}", kFour, "does not start with {"},
        Hostile{"Unclosed", kOne + kGoodA, kFour, "expected }"},
        Hostile{"Comment", kOne + "/**/" + kGoodA + "}", kFour, "expected \""}),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Text, HostileHeader,
    testing::Values(
        Hostile{"Overlong", "{" + metadata(0, ",\"k\":\"\xC0\x80\"") + "}", "", "UTF-8"},
        Hostile{"Overlong3", "{" + metadata(0, ",\"k\":\"\xE0\x9F\xBF\"") + "}", "", "UTF-8"},
        Hostile{"Overlong4", "{" + metadata(0, ",\"k\":\"\xF0\x8F\xBF\xBF\"") + "}", "", "UTF-8"},
        Hostile{"Surrogate", "{" + metadata(0, ",\"k\":\"\xED\xA0\x80\"") + "}", "", "UTF-8"},
        Hostile{"AboveUnicode", "{" + metadata(0, ",\"k\":\"\xF4\x90\x80\x80\"") + "}", "",
                "UTF-8"},
        Hostile{"LoneTail", "{" + metadata(0, ",\"k\":\"\x80\"") + "}", "", "UTF-8"},
        Hostile{"CutSequence", "{" + metadata(0, ",\"k\":\"\xE2\x82\"") + "}", "", "UTF-8"},
        Hostile{"CutByEscape", "{" + metadata(0, ",\"k\":\"\xC3\\u00a9\"") + "}", "", "UTF-8"},
        Hostile{"RawControl", "{" + metadata(0, ",\"k\":\"\n\"") + "}", "", "control character"},
        Hostile{"UnknownEscape", "{" + metadata(0, R"(,"k":"\x41")") + "}", "", "unknown escape"},
        Hostile{"LowSurrogateAlone", "{" + metadata(0, R"(,"k":"\udc00")") + "}", "", "surrogate"},
        Hostile{"HighSurrogateAlone", "{" + metadata(0, R"(,"k":"\ud800")") + "}", "", "surrogate"},
        Hostile{"TwoHighSurrogates", "{" + metadata(0, R"(,"k":"\ud800\ud800")") + "}", "",
                "surrogate"},
        Hostile{"BadHexDigit", "{" + metadata(0, R"(,"k":"\u00g0")") + "}", "", "hexadecimal"},
        Hostile{"EndsInEscape", "{" + metadata(0, R"(,"k":")") + "\\", "", "does not end"},
        Hostile{"EndsInString", "{" + metadata(0) + ",\"k", "", "does not end"}),
    [](const auto& row) { return row.param.name; });

std::string with_length(std::uint64_t length, const std::string& rest) {
  std::string file(sizeof length, '\0');
  std::memcpy(file.data(), &length, sizeof length);
  return file + rest;
}

TEST(HostileLength, IsRefusedBeforeMemoryIsTaken) {
  for (const std::uint64_t length :
       {std::uint64_t{3}, std::uint64_t{100'000'000}, std::uint64_t{100'000'001},
        std::uint64_t{1} << 32, std::uint64_t{1} << 63, ~std::uint64_t{0}, ~std::uint64_t{0} - 7,
        ~std::uint64_t{0} - 8}) {
    EXPECT_TRUE(is_found_corrupt(with_length(length, "{}"))) << length;
  }
  EXPECT_TRUE(is_found_corrupt(""));
  EXPECT_TRUE(is_found_corrupt("1234567"));
  EXPECT_TRUE(is_found_corrupt(with_length(0, "")));
  EXPECT_TRUE(is_found_corrupt(with_length(2, "{}")));
  const std::string start = with_length(100'000'001, "");
  EXPECT_THROW(header_bytes(bytes_of(start), std::uint64_t{1} << 40), Error);
  const std::string hundred = with_length(100, "");
  EXPECT_THROW(header_bytes(bytes_of(hundred), 107), Error);
  EXPECT_EQ(header_bytes(bytes_of(hundred), 108), 108u);
}

TEST(NewerFormat, IsNotCalledCorrupt) {
  const std::string file = sealed_file("{" + metadata(0, "", "2") + "}", "");
  try {
    decode_checkpoint(bytes_of(file));
    FAIL() << "read a format it does not know";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kState);
    EXPECT_THAT(error.what(), HasSubstr("written in checkpoint format 2, but this program knows "
                                        "formats up to 1; use a newer traind"));
  }
}

}  // namespace
}  // namespace traind
