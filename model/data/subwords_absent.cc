#include "model/base/error.h"
#include "model/data/subwords.h"

namespace traind {
namespace {

[[noreturn]] void refuse() {
  throw Error(ErrorKind::kConfig,
              "this build cannot cut text into subwords, as it was made without sentencepiece; "
              "install libsentencepiece-dev and build again, or use \"words\" or \"characters\" "
              "for data.source_tokens and data.target_tokens");
}

}  // namespace

struct SubwordModel::Processor {};

SubwordModel::SubwordModel(std::string) { refuse(); }
SubwordModel::~SubwordModel() = default;
std::vector<std::int32_t> SubwordModel::encode(std::string_view) const { refuse(); }
std::string SubwordModel::decode(std::span<const std::int32_t>) const { refuse(); }

std::string learn_subwords(const SubwordLines&, std::int64_t, const std::function<void()>&) {
  refuse();
}

}  // namespace traind
