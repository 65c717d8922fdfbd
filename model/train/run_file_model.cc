// [model] and [decode].
#include "model/backend/backend.h"
#include "model/train/run_file_tables.h"

namespace traind {
namespace {

void check_language(TomlReader& in, const DataSection& data, const ModelSection& model) {
  const bool language = model.kind == ModelKind::kLanguage;
  if (language && data.format != CorpusFormat::kText) {
    throw in.error_at("model", "kind",
                      "model.kind = \"language\" needs data.format = \"text\": lines that have no "
                      "source");
  }
  if (!language && data.format == CorpusFormat::kText) {
    throw in.error_at("data", "format",
                      "data.format = \"text\" is for model.kind = \"language\": an encoder-decoder "
                      "needs sources");
  }
  for (const char* key : {"bidirectional", "attention"}) {
    if (!language || !in.has("model", key)) continue;
    throw in.error_at("model", key,
                      std::string("model.") + key +
                          " is not for model.kind = \"language\", which has no encoder");
  }
}

}  // namespace

void read_model(TomlReader& in, const DataSection& data, ModelSection& model) {
  model.kind = read_word(in, "model", "kind", kModelWords, model.kind);
  model.cell = read_word(in, "model", "cell", kCellWords, model.cell);
  model.layers = static_cast<int>(in.integer("model", "layers", model.layers, 1, 64));
  model.hidden = static_cast<int>(in.integer("model", "hidden", model.hidden, 1, 16'384));
  model.embedding = static_cast<int>(in.integer("model", "embedding", model.embedding, 0, 16'384));
  model.tied_embeddings = in.boolean("model", "tied_embeddings", model.tied_embeddings);
  model.bidirectional = in.boolean("model", "bidirectional", model.bidirectional);
  model.attention = in.choice("model", "attention", "none", {"none", "general"}) == "general";
  model.dropout = in.number("model", "dropout", model.dropout, 0, 0.95);
  if (model.embedding == 0) model.embedding = model.hidden;
  check_language(in, data, model);
  if (model.bidirectional && model.hidden % 2 != 0) {
    throw in.error_at("model", "hidden",
                      "model.hidden must be even when model.bidirectional is true: each direction "
                      "has half of it");
  }
  if (model.tied_embeddings && model.embedding != model.hidden) {
    throw in.error_at("model", "embedding",
                      "model.embedding must be model.hidden when model.tied_embeddings is true: "
                      "the decoder's embedding is the output's weight too; leave it out");
  }
}

void read_decode(TomlReader& in, DecodeSection& decode) {
  decode.beam = static_cast<int>(in.integer("decode", "beam", decode.beam, 1, kMostBeam));
  decode.length_alpha = in.number("decode", "length_alpha", decode.length_alpha, 0, 10);
}

}  // namespace traind
