#include "model/backend/cuda/gpu/body.h"
#include "model/backend/cuda/gpu/layer_trial.h"

namespace traind::cuda {

struct Layer::Body {
  LayerShape shape;
  TriedLayer tried;
};

Layer::Layer(Device& device, const LayerShape& shape) {
  Context& context = device.body_->context;
  context.expect_alive();
  body_ = std::make_unique<Body>(Body{shape, try_layer(context, shape)});
}

Layer::~Layer() = default;

const Layer::Places& Layer::places() const { return body_->tried.places; }
std::size_t Layer::workspace_bytes() const { return body_->tried.rnn->workspace_bytes(); }
std::size_t Layer::reserve_bytes() const { return body_->tried.rnn->reserve_bytes(); }
const std::string& Layer::choice() const { return body_->tried.choice; }

void Device::forward(const Layer& layer, const LayerForward& call) {
  Context& context = body_->context;
  context.expect_alive();
  const RnnAnswer answer = layer.body_->tried.rnn->forward(call);
  context.check(answer.status, answer.call,
                [&] { return " " + words_of(layer.body_->shape, options().precision); });
}

void Device::backward(const Layer& layer, const LayerForward& forward, const LayerBackward& call) {
  Context& context = body_->context;
  context.expect_alive();
  const RnnAnswer answer = layer.body_->tried.rnn->backward(forward, call);
  context.check(answer.status, answer.call,
                [&] { return " " + words_of(layer.body_->shape, options().precision); });
}

}  // namespace traind::cuda
