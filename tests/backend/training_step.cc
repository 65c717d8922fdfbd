#include "tests/backend/training_step.h"

#include "tests/backend/device_rnn.h"

namespace traind {

TrainingStep::TrainingStep(Backend& backend, const StepShape& largest) : backend_(backend) {
  encoder_ = {
      2,     2, largest.input, largest.hidden, largest.words, largest.steps, largest.batch, false,
      false, 0, largest.cell};
  decoder_ = encoder_;
  decoder_.directions = 1;
  decoder_.hidden = 2 * largest.hidden;
  const std::size_t m = decoder_.hidden;
  const std::size_t words = largest.words;
  const std::size_t decoder_at = encoder_.state_offset();
  attention_at_ = decoder_at + decoder_.state_offset();
  output_at_ = attention_at_ + 3 * m * m;
  size_ = output_at_ + words * m + words;

  for (auto* row : {&parameters_, &gradients_, &first_, &second_}) *row = backend.allocate(size_);
  const reference::Row values = reference::random_row(size_, 1, 0.3);
  backend.write(parameters_->tensor(), std::vector<float>(values.begin(), values.end()));
  const std::size_t floats = decoder_.output_size();
  for (auto* row : {&memory_, &hidden_, &attended_, &d_attended_, &d_hidden_, &d_memory_}) {
    *row = backend.allocate(floats);
  }
  for (auto* row : {&state_, &d_state_}) *row = backend.allocate(2 * decoder_.state_size());

  const Tensor all = parameters_->tensor();
  const Tensor all_gradients = gradients_->tensor();
  encoder_stack_ = stack_over(encoder_, all);
  encoder_gradients_ = stack_over(encoder_, all_gradients);
  decoder_stack_ = stack_over(decoder_, all.part(decoder_at, decoder_.state_offset()));
  decoder_gradients_ =
      stack_over(decoder_, all_gradients.part(decoder_at, decoder_.state_offset()));
  attention_ = {all.part(attention_at_, m * m), all.part(attention_at_ + m * m, 2 * m * m)};
  attention_gradients_ = {all_gradients.part(attention_at_, m * m),
                          all_gradients.part(attention_at_ + m * m, 2 * m * m)};
  output_ = {all.part(output_at_, words * m), all.part(output_at_ + words * m, words)};
  output_gradients_ = {all_gradients.part(output_at_, words * m),
                       all_gradients.part(output_at_ + words * m, words)};
}

StepResult TrainingStep::run(const reference::Batch& source, const reference::Batch& target,
                             int steps, std::int64_t step) {
  const std::size_t batch = source.lengths.size();
  const std::size_t floats = batch * steps * decoder_.hidden;
  const std::size_t states = 2 * batch * decoder_.hidden;
  const auto state_in = [&](const std::unique_ptr<Buffer>& row) -> RnnState {
    const Tensor h = row->tensor().part(0, states);
    if (encoder_.cell == CellKind::kGru) return {h, {}};
    return {h, row->tensor().part(states, states)};
  };
  const RnnState state = state_in(state_);
  const RnnState d_state = state_in(d_state_);
  const auto part = [floats](const std::unique_ptr<Buffer>& row) {
    return row->tensor().part(0, floats);
  };
  RnnForward encode;
  encode.input = source.view(steps);
  encode.output = part(memory_);
  encode.last = state;
  encode.dropout = 0.2f;
  encode.mask = {9, static_cast<std::uint64_t>(step), 0};
  RnnForward answer = encode;
  answer.input = target.view(steps);
  answer.output = part(hidden_);
  answer.initial = state;
  answer.last = {};
  answer.mask.site = 8;
  const auto encoder_tape = backend_.rnn_forward(encoder_stack_, encode);
  const auto decoder_tape = backend_.rnn_forward(decoder_stack_, answer);
  const AttentionForward attend{part(hidden_),   part(memory_),   source.lengths,
                                target.lengths,  steps,           steps,
                                decoder_.hidden, part(attended_), true};
  const auto attention_tape = backend_.attention_forward(attention_, attend);
  LossCall loss;
  loss.hidden = part(attended_);
  loss.targets = target.view(steps);
  loss.width = decoder_.hidden;
  loss.words = decoder_.words;
  loss.weights = output_;
  loss.d_hidden = part(d_attended_);
  loss.gradients = &output_gradients_;
  loss.gradient_scale = 0.01f;
  backend_.loss(loss);
  backend_.attention_backward(
      attention_, {part(d_attended_), part(d_hidden_), part(d_memory_), &attention_gradients_},
      *attention_tape);
  backend_.rnn_backward(decoder_stack_, {part(d_hidden_), {}, d_state, &decoder_gradients_},
                        *decoder_tape);
  backend_.rnn_backward(encoder_stack_, {part(d_memory_), d_state, {}, &encoder_gradients_},
                        *encoder_tape);
  UpdateStep update;
  update.parameters = parameters_->tensor();
  update.gradients = gradients_->tensor();
  update.first_moment = first_->tensor();
  update.second_moment = second_->tensor();
  update.step = step;
  update.clip_norm = 1;
  backend_.update(update);
  return backend_.take_result();
}

std::vector<float> TrainingStep::state() const {
  std::vector<float> all(3 * size_);
  const std::span<float> rows(all);
  backend_.read(parameters_->tensor(), rows.subspan(0, size_));
  backend_.read(first_->tensor(), rows.subspan(size_, size_));
  backend_.read(second_->tensor(), rows.subspan(2 * size_, size_));
  return all;
}

}  // namespace traind
