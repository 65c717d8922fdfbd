// A vocabulary's text, as a checkpoint holds it, of characters, words or subwords.
#include <optional>

#include "model/data/vocabulary.h"
#include "tests/fuzz/claims.h"

using namespace traind;

namespace {

void check_tokens(const Vocabulary& vocabulary) {
  for (std::int32_t id = kFirstTokenId; id < vocabulary.size(); ++id) {
    const std::string& token = vocabulary.tokens()[static_cast<std::size_t>(id - kFirstTokenId)];
    fuzz::claim(vocabulary.encode(token) == std::vector<std::int32_t>{id}, "a token has its id");
    fuzz::claim(vocabulary.decode({id}) == token, "and the id its token");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text = fuzz::text_of(data, size);
  std::optional<Vocabulary> vocabulary;
  if (!fuzz::accepts({ErrorKind::kCorrupt}, [&] { vocabulary = vocabulary_from_text(text); })) {
    return 0;
  }
  fuzz::claim(to_text(*vocabulary) == text, "a vocabulary is written as it was read");
  if (vocabulary->kind() != TokenKind::kSubwords) check_tokens(*vocabulary);
  // Its own text is as good as any, and has characters that it knows.
  const std::vector<std::int32_t> ids = vocabulary->encode(text);
  for (const std::int32_t id : ids) {
    fuzz::claim(id == kUnknownId || (id >= kFirstTokenId && id < vocabulary->size()),
                "an id is one of the vocabulary");
  }
  vocabulary->decode(ids);
  vocabulary->decode({kPadId, kBeginId, -1, vocabulary->size(), kEndId});
  return 0;
}
