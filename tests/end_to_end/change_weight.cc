// Changes the first weight of a checkpoint by the least that there is, and writes the file anew
// with every checksum and the digest right: what no check of a file can find.
//
// usage: change_weight FOLDER FILE
#include <cmath>
#include <cstdio>
#include <vector>

#include "model/checkpoint/store.h"
#include "model/checkpoint/writer.h"

int main(int argc, char** argv) {
  using namespace traind;
  if (argc != 3) return 2;
  CheckpointStore store(posix_files(), argv[1]);
  LoadedCheckpoint loaded = store.load(argv[2]);
  float& weight = loaded.content.tensors.at(0).values.at(0);
  weight = std::nextafter(weight, 1.0f);
  CheckpointView view{loaded.content.metadata, {}};
  std::vector<TensorView> weights;
  for (const CheckpointContent::Tensor& tensor : loaded.content.tensors) {
    view.tensors.push_back({tensor.name, tensor.shape, tensor.values});
    if (!tensor.name.starts_with("optim.")) weights.push_back(view.tensors.back());
  }
  view.metadata[kDigestKey] = digest_of(weights);
  store.save(loaded.step, view);
  std::puts(loaded.content.tensors[0].name.c_str());
  return 0;
}
