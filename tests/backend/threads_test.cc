// What the number of threads may change: the time, never the bits.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "model/backend/cpu/cpu_backend.h"
#include "model/backend/cpu/team.h"
#include "tests/backend/device_case.h"
#include "tests/backend/training_step.h"

namespace traind {
namespace {

struct Trained {
  std::vector<float> state;
  std::vector<double> losses, norms;
};

Trained train(cpu::InstructionSet set, int threads, const StepShape& shape) {
  const auto backend = cpu::make_cpu_backend({threads, set});
  TrainingStep training(*backend, shape);
  Trained trained;
  for (std::uint64_t step = 1; step <= 3; ++step) {
    const auto source =
        reference::batch_of(shape.steps, shape.batch, shape.words, shape.ragged, step);
    auto target =
        reference::batch_of(shape.steps, shape.batch, shape.words, shape.ragged, 50 + step);
    const StepResult result =
        training.run(source, target, shape.steps, static_cast<std::int64_t>(step));
    trained.losses.push_back(result.loss.loss);
    trained.norms.push_back(result.gradient_norm);
  }
  trained.state = training.state();
  return trained;
}

class ThreadsOn : public testing::TestWithParam<SetCase> {};

TEST_P(ThreadsOn, GiveTheSameBitsWhateverTheirNumber) {
  const cpu::InstructionSet set = GetParam().set;
  if (!cpu::machine_has(set)) GTEST_SKIP() << "this processor has not " << GetParam().name;
  StepShape with_table;
  StepShape without_table;
  without_table.words = 250;
  without_table.ragged = false;
  StepShape odd{31, 19, 29, 11, 17, true};
  StepShape gru = odd;
  gru.cell = CellKind::kGru;
  // With more threads a lane has too few rows for products at each step.
  StepShape by_step{400, 16, 16, 5, 30, true};
  for (const StepShape& shape : {with_table, without_table, odd, gru, by_step}) {
    const Trained one = train(set, 1, shape);
    EXPECT_NE(one.losses[0], one.losses[2]);
    for (const int threads : {2, 3}) {
      const Trained more = train(set, threads, shape);
      EXPECT_EQ(one.losses, more.losses) << threads;
      EXPECT_EQ(one.norms, more.norms) << threads;
      ASSERT_EQ(one.state.size(), more.state.size());
      EXPECT_EQ(0,
                std::memcmp(one.state.data(), more.state.data(), one.state.size() * sizeof(float)))
          << threads;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, ThreadsOn, testing::ValuesIn(set_cases()), name_of_set);

TEST(Team, SharesCoverEverythingOnce) {
  for (const int lanes : {1, 2, 3, 7}) {
    for (const int n : {0, 1, 5, 6, 100}) {
      int next = 0;
      for (int i = 0; i < lanes; ++i) {
        const cpu::Range share = cpu::Lane(i, lanes, nullptr).share(n, 6);
        EXPECT_EQ(share.begin, next);
        EXPECT_TRUE(share.begin % 6 == 0 || share.begin == n);
        next = share.end;
      }
      EXPECT_EQ(next, n);
    }
  }
}

TEST(Team, LanesMeetAtEveryBarrier) {
  cpu::Team team(3);
  std::vector<int> progress(3, 0);
  bool together = true;
  team.run(3, [&](const cpu::Lane& lane) {
    for (int round = 1; round <= 200; ++round) {
      progress[static_cast<std::size_t>(lane.index())] = round;
      lane.wait_for_all();
      if (lane.index() == 0) {
        for (const int one : progress) together = together && one == round;
      }
      lane.wait_for_all();
    }
  });
  EXPECT_TRUE(together);
}

TEST(Team, SmallWorkStaysOnTheCaller) {
  cpu::Team team(2);
  std::thread::id ran_on;
  team.run(team.lanes_for(100), [&](const cpu::Lane&) { ran_on = std::this_thread::get_id(); });
  EXPECT_EQ(ran_on, std::this_thread::get_id());
}

#ifdef __linux__
// Field 19 of /proc/self/task/N/stat (proc(5)), counted after the name in brackets.
int nice_of(const std::filesystem::path& task) {
  std::ifstream file(task / "stat");
  std::string text;
  std::getline(file, text);
  std::istringstream fields(text.substr(text.rfind(')') + 2));
  std::string field;
  for (int i = 3; i <= 19; ++i) fields >> field;
  return std::stoi(field);
}

TEST(Team, ComputesAtLowPriorityAndLeavesTheCallerAlone) {
  cpu::Team team(2);
  team.run(2, [](const cpu::Lane& lane) { lane.wait_for_all(); });
  int low = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    low += nice_of(task.path()) >= 10;
  }
  const int own = nice_of("/proc/thread-self");
  EXPECT_EQ(low, own >= 10 ? 3 : 2);
}
#endif

}  // namespace
}  // namespace traind
