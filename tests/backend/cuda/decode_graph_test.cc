// How a decoding runs on the device: many steps to one graph, and few looks of the host.
#include <gtest/gtest.h>

#include "model/backend/cuda/cuda_backend.h"
#include "tests/backend/cuda/host_device.h"
#include "tests/backend/device_case.h"
#include "tests/backend/device_rnn.h"

namespace traind {
namespace {

constexpr int kWords = 7;
constexpr std::int32_t kEnd = 2;

class DecodeGraph : public OnDevice {
 protected:
  // Tokens of each of five sentences; `end` is how likely the end mark is.
  // Of `times` decodings with the same weights and one seed after the other, the last.
  std::vector<Decoded> decode(int max_steps, float end, Search search = {}, int times = 1) {
    const reference::RnnCase shape{1, 1, 4, 6, kWords, 1, 5, false, true, 0};
    const Tensor lstm = put(reference::random_row(shape.size(), 1, 1));
    reference::Row output = reference::random_row((6 + 1) * kWords, 3, 1);
    output[6 * kWords + kEnd] = end;
    const Tensor weights = put(output);
    const RnnStack stack = stack_over(shape, lstm);
    DecodeCall call;
    call.decoder = &stack;
    call.initial = initial_over(shape, lstm);
    call.output = {weights.part(0, 6 * kWords), weights.part(6 * kWords, kWords)};
    const std::vector<std::int32_t> begin(5, 1);
    call.begin = begin;
    call.end = kEnd;
    call.max_steps = max_steps;
    std::vector<Decoded> last;
    for (int i = 0; i < times; ++i, ++search.seed) {
      call.search = search;
      last = backend_->decode(call);
    }
    return last;
  }
};

TEST_P(DecodeGraph, IsLookedAtEverySixteenSteps) {
  const cuda::HostCounts before = cuda::host_counts();
  for (const Decoded& row : decode(64, -100)) EXPECT_EQ(row.ids.size(), 64u);
  const cuda::HostCounts after = cuda::host_counts();
  EXPECT_EQ(after.graphs_made, before.graphs_made + 1);
  EXPECT_EQ(after.graphs_replayed, before.graphs_replayed + 3) << "of four; the first ran as it is";
}

TEST_P(DecodeGraph, StopsAtTheFirstLookAfterAllHaveEnded) {
  const cuda::HostCounts before = cuda::host_counts();
  for (const Decoded& row : decode(1000, 100)) EXPECT_TRUE(row.ids.empty());
  EXPECT_EQ(cuda::host_counts().graphs_made, before.graphs_made);
}

// The seed is staged, so that another one is the same work.
TEST_P(DecodeGraph, OfSamplesOfAnySeedIsTheSame) {
  Search search;
  search.temperature = 1;
  const cuda::HostCounts before = cuda::host_counts();
  decode(64, -100, search, 3);
  const cuda::HostCounts after = cuda::host_counts();
  EXPECT_EQ(after.graphs_made, before.graphs_made + 2) << "the weights', and that of 16 steps";
  EXPECT_EQ(after.graphs_replayed, before.graphs_replayed + 2 + 3 + 4 + 4);
}

TEST_P(DecodeGraph, WithABeamIsOneForEveryStep) {
  Search search;
  search.beam = 3;
  const cuda::HostCounts before = cuda::host_counts();
  for (const Decoded& row : decode(20, -100, search)) EXPECT_EQ(row.ids.size(), 20u);
  const cuda::HostCounts after = cuda::host_counts();
  EXPECT_EQ(after.graphs_made, before.graphs_made + 1);
  EXPECT_EQ(after.graphs_replayed, before.graphs_replayed + 18)
      << "the first step brings the weights, the second ran as it is";
}

INSTANTIATE_TEST_SUITE_P(OnHost, DecodeGraph,
                         testing::Values(DeviceCase{"Fp32", 2e-5, "",
                                                    [] { return cuda::make_cuda_backend({}); }}),
                         name_of_case);

}  // namespace
}  // namespace traind
