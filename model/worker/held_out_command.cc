#include <iostream>
#include <string>

#include "model/base/error.h"
#include "model/base/files.h"
#include "model/data/corpus.h"
#include "model/train/run_file.h"
#include "model/train/run_folder.h"
#include "model/worker/commands.h"
#include "model/worker/console.h"

namespace traind {
namespace {

// The sides stand in columns, so neither may have a tab of its own.
const std::string& column(const std::string& side) {
  if (side.find('\t') == std::string::npos) return side;
  throw Error(ErrorKind::kData,
              "a held-out example has a tab in it and cannot be written as "
              "tab-separated columns: " +
                  side);
}

}  // namespace

int held_out_command(const HeldOutArguments& arguments) {
  const RunFolder folder{arguments.folder};
  const RunFile run = parse_run_file(read_whole(folder.run_file()), folder.run_file(), folder.path);
  make_folders(folder.cache());
  const auto corpus = open_corpus(run.data, run.noise, {folder.cache(), run.seed, {}});
  const bool language = run.model.kind == ModelKind::kLanguage;
  for (std::int64_t i = 0; i < corpus->report().valid_examples; ++i) {
    const Example example = corpus->valid(i);
    if (!language) std::cout << result_line(column(example.source)) << '\t';
    std::cout << result_line(language ? example.target : column(example.target)) << '\n';
  }
  return std::cout.flush() ? 0 : 1;
}

}  // namespace traind
