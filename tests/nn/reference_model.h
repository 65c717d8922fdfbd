// The model once more, as plainly as it can be written: doubles, one sentence at a time, no batch,
// no padding. It shares nothing with the real one but the table of names and the dropout's draws.
// A GRU's c is not used.
//
// A value, owned by one test. Its row may be changed, for central differences.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/nn/sequence_model.h"

namespace traind {

struct ReferenceAnswers {
  std::vector<Decoded> rows;
  // How far the best logit stood above the second at the closest call. Near zero, a float and a
  // double may rightly disagree about which is best.
  double closest_call = 1e300;
};

class ReferenceModel {
 public:
  ReferenceModel(const ModelShape& shape, const std::vector<ParameterEntry>& table,
                 std::span<const float> row);

  std::vector<double>& row() { return row_; }
  // Sum over the true target steps. With a key, dropout is on as in training.
  LossSum loss(const SequencePair& batch, std::optional<DropoutKey> dropout = {}) const;
  // The same sum, smoothed: what the gradients of a training step are of.
  double smoothed_loss(const SequencePair& batch, std::optional<DropoutKey> dropout,
                       double smoothing) const;
  // Greedy, by running the whole decoder again for each further token.
  ReferenceAnswers decode(const Sequences& source, std::int32_t begin, std::int32_t end,
                          int max_steps) const;

 private:
  using Vector = std::vector<double>;
  using Steps = std::vector<Vector>;  // one vector a step

  // Which sentence of which batch: what the dropout masks depend on.
  struct Sentence {
    int index = 0;
    int batch = 1;
    std::optional<DropoutKey> dropout;
  };
  struct States {
    Steps h;  // one vector a layer, directions side by side
    Steps c;
  };

  const double* values(const std::string& name) const;
  Vector multiply(const std::string& name, std::size_t rows, const Vector& x) const;
  void cell(const std::string& side, const std::string& suffix, const Vector& x, Vector& h,
            Vector& c) const;
  void lstm_cell(const Vector& from_x, const Vector& from_h, Vector& h, Vector& c) const;
  void gru_cell(const Vector& from_x, const Vector& from_h, Vector& h) const;
  Steps recur(const std::string& side, int directions, const std::vector<std::int32_t>& ids,
              States& states, const Sentence& sentence) const;
  Steps logits(const std::vector<std::int32_t>& source, const std::vector<std::int32_t>& input,
               const Sentence& sentence) const;
  Vector attend(const Vector& h, const Steps& memory) const;
  // Of each true target step: its row of logits and the id that was wanted.
  void visit(const SequencePair& batch, std::optional<DropoutKey> dropout,
             const std::function<void(const Vector&, std::size_t)>& step) const;

  ModelShape shape_;
  std::unordered_map<std::string, std::size_t> offsets_;
  std::vector<double> row_;
};

}  // namespace traind
