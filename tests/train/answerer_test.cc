// How long an answer may become. No GPU is at hand: the CPU here only asks for padding like one.
#include "model/train/answerer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/nn/forwarding_backend.h"
#include "tests/nn/model_case.h"

namespace traind {
namespace {

using ::testing::ElementsAre;

class PaddingDevice : public ForwardingBackend {
 public:
  explicit PaddingDevice(int multiple) : ForwardingBackend(cpu_backend(1)), multiple_(multiple) {}
  DeviceInfo info() const override {
    DeviceInfo info = ForwardingBackend::info();
    info.step_multiple = multiple_;
    return info;
  }

 private:
  const int multiple_;
};

TEST(Answerer, PaddingMakesNoAnswerLonger) {
  const Vocabulary letters(TokenKind::kCharacters, {"a", "b"});
  for (const int multiple : {1, 8}) {
    PaddingDevice device(multiple);
    const int words = static_cast<int>(letters.size());
    SequenceModel model(device, {1, 4, 4, false, false, 0, words, words});
    // It says "a" and never comes to an end.
    std::vector<float> row(row_size(model.parameters()));
    row[entry_named(model.parameters(), "output.bias").offset +
        static_cast<std::size_t>(letters.encode("a").at(0))] = 1;
    fill(model, row);
    const std::vector<std::string> lines = {"abb", "b"};
    EXPECT_THAT(Answerer(model, letters, letters).answer(lines),
                ElementsAre(std::string(16, 'a'), std::string(16, 'a')))
        << multiple;
  }
}

}  // namespace
}  // namespace traind
