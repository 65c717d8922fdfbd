// A sentencepiece model file, which the library that reads it trusts further than we do.
#include <array>
#include <optional>
#include <string_view>

#include "model/data/subword_file.h"
#include "model/data/subwords.h"
#include "tests/fuzz/claims.h"

using namespace traind;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes = fuzz::text_of(data, size);
  std::optional<SubwordModel> model;
  if (!fuzz::accepts({ErrorKind::kData}, [&] { model.emplace(bytes); })) return 0;
  fuzz::claim(fault_of_subword_file(bytes).empty(), "no faulty table is given to the library");
  fuzz::claim(!model->pieces().empty(), "a model has pieces");
  for (const std::string_view text :
       {std::string_view("ba  m\xC3\xA9\xE6\xBC\xA2 X lo\xEF\xBD\x84ri"),
        std::string_view(bytes)}) {
    const auto encode = [&] {
      for (const std::int32_t number : model->encode(text)) {
        fuzz::claim(number == SubwordModel::kUnknown ||
                        (number >= 0 && static_cast<std::size_t>(number) < model->pieces().size()),
                    "a number is that of a piece");
      }
    };
    fuzz::accepts({ErrorKind::kData}, encode);
  }
  const std::array numbers = {0, SubwordModel::kUnknown, 1, 1'000'000};
  fuzz::accepts({ErrorKind::kData}, [&] { model->decode(numbers); });
  return 0;
}
