#include "model/data/utf8.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace traind {
namespace {

CodePoint decode(const std::string& text) {
  return decode_utf8(text.data(), text.data() + text.size());
}

TEST(DecodeUtf8, ReadsBackEveryCodePointThatIsWritten) {
  for (char32_t value = 0; value <= 0x10FFFF; ++value) {
    if (value >= 0xD800 && value <= 0xDFFF) continue;
    std::string text;
    append_utf8(text, value);
    const CodePoint point = decode(text);
    ASSERT_EQ(point.value, value);
    ASSERT_EQ(point.bytes, static_cast<int>(text.size()));
  }
}

TEST(DecodeUtf8, RefusesWhatTheStandardRefuses) {
  const std::vector<std::string> invalid = {"\x80",              // a tail without a head
                                            "\xBF",              //
                                            "\xC0\x80",          // overlong NUL
                                            "\xC1\xBF",          // overlong ASCII
                                            "\xE0\x9F\xBF",      // overlong U+07FF
                                            "\xF0\x8F\xBF\xBF",  // overlong U+FFFF
                                            "\xED\xA0\x80",      // surrogate U+D800
                                            "\xED\xBF\xBF",      // surrogate U+DFFF
                                            "\xF4\x90\x80\x80",  // U+110000
                                            "\xF5\x80\x80\x80",  //
                                            "\xF8\x88\x80\x80\x80",
                                            "\xFE",
                                            "\xFF",
                                            "\xC3",          // cut off
                                            "\xE2\x82",      //
                                            "\xF0\x9F\x98",  //
                                            "\xC3(",         // a head without its tail
                                            "\xE2\x28\xA1",  //
                                            "\xE2\x82(",     //
                                            "\xF0\x9F\x98("};
  for (const std::string& text : invalid) {
    EXPECT_EQ(decode(text).bytes, 0) << testing::PrintToString(text);
  }
}

TEST(ScanText, FindsAFaultWhereverItStands) {
  for (std::size_t at = 0; at < 40; ++at) {
    for (const char fault : {'\x80', '\x01', '\x7F', '\0', '\x1F'}) {
      std::string text(40, 'x');
      text[at] = fault;
      const TextScan scan = scan_text(text);
      EXPECT_EQ(scan.fault, fault == '\x80' ? TextFault::kInvalid : TextFault::kControl);
      EXPECT_EQ(scan.at, at);
      EXPECT_EQ(scan.characters, static_cast<std::int64_t>(at));
    }
  }
}

TEST(ScanText, LetsEveryOtherAsciiCharacterAndTabPass) {
  std::string text = "\t";
  for (char c = 0x20; c < 0x7F; ++c) text += c;
  for (int shift = 0; shift < 8; ++shift) {
    EXPECT_EQ(scan_text(text).fault, TextFault::kNone);
    EXPECT_EQ(scan_text(text).characters, static_cast<std::int64_t>(text.size()));
    text.insert(text.begin(), '~');
  }
}

TEST(ScanText, CountsCodePointsNotBytes) {
  for (int shift = 0; shift < 9; ++shift) {
    const std::string text = std::string(static_cast<std::size_t>(shift), 'a') + "žluťoučký 漢字 😀";
    EXPECT_EQ(scan_text(text).characters, shift + 14) << text;
  }
}

TEST(ScanText, RefusesTheC1Controls) {
  EXPECT_EQ(scan_text("\xC2\x80").fault, TextFault::kControl);
  EXPECT_EQ(scan_text("\xC2\x85").fault, TextFault::kControl);
  EXPECT_EQ(scan_text("\xC2\x9F").fault, TextFault::kControl);
  EXPECT_EQ(scan_text("\xC2\xA0").fault, TextFault::kNone);
}

TEST(ScanText, RefusesACharacterCutOffByTheEnd) {
  const TextScan scan = scan_text("abcdefg\xE2\x82");
  EXPECT_EQ(scan.fault, TextFault::kInvalid);
  EXPECT_EQ(scan.at, 7u);
}

}  // namespace
}  // namespace traind
