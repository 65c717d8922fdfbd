// How many metric rows a second the daemon's database takes, each transaction durable
// (WAL, synchronous=FULL), for several sizes of transaction. Figures as JSON to stdout.
//
// usage: metric_rows [--quick]
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <string>

#include "daemon/run_rows.h"
#include "daemon/store.h"
#include "daemon/training_rows.h"

namespace traind {
namespace {

double rows_per_second(Store& store, std::int64_t run, std::int64_t& step, int rows_at_once,
                       double seconds) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point begin = Clock::now();
  std::int64_t rows = 0;
  double passed = 0;
  do {
    store.write([&](Database& db) {
      for (int i = 0; i < rows_at_once; ++i) {
        MetricRow row;
        row.step = ++step;
        row.loss = 1.0 / static_cast<double>(step);
        put_metric(db, run, row, step);
      }
    });
    rows += rows_at_once;
    passed = std::chrono::duration<double>(Clock::now() - begin).count();
  } while (passed < seconds);
  return static_cast<double>(rows) / passed;
}

int measure(double seconds) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / "traind-metric-rows";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  {
    Store store(folder / "traind.db");
    RunRow run;
    run.id = "01BENCH";
    run.name = "bench";
    run.reason = "measured";
    store.write([&](Database& db) { insert_run(db, run); });
    std::int64_t step = 0;
    std::printf("{\"bench\": \"metric_rows\", \"results\": [");
    const char* comma = "";
    for (const int rows : {1, 10, 100, 1000}) {
      std::printf("%s\n  {\"rows_per_transaction\": %d, \"rows_per_second\": %.0f}", comma, rows,
                  rows_per_second(store, run.run, step, rows, seconds));
      comma = ",";
    }
    std::printf("\n]}\n");
  }
  std::filesystem::remove_all(folder);
  return 0;
}

}  // namespace
}  // namespace traind

int main(int count, char** arguments) {
  const bool quick = count > 1 && std::strcmp(arguments[1], "--quick") == 0;
  try {
    return traind::measure(quick ? 0.1 : 2.0);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "metric_rows: %s\n", error.what());
    return 1;
  }
}
