// Writes the checkpoint of a frozen run anew, in the form of today:
//   freeze_run NAME FOLDER
// trains the run of frozen_run.h and puts NAME.safetensors and NAME.answers, what it answers to
// some questions, into the folder. For a new form; a file that is there already stays for ever.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "model/base/error.h"
#include "model/train/trainer.h"
#include "model/train/translator.h"
#include "tests/base/scratch_folder.h"
#include "tests/train/frozen_run.h"

namespace traind {
namespace {

class Silent final : public EventSink {
 public:
  void on_event(const Event&) noexcept override {}
};

void freeze(const FrozenRun& frozen, const std::string& to) {
  const std::filesystem::path target = std::filesystem::absolute(to) / frozen.name;
  const ScratchFolder scratch;
  std::filesystem::current_path(scratch.path());
  write_frozen_corpus();
  TrainerOptions options;
  options.folder.path = scratch.path();
  TrainerControl control;
  Silent events;
  Trainer(frozen.run, options, events, control).run();
  const Translator translator(frozen.run, options.folder, {});
  const std::vector<std::string> questions = {"0+0", "3+4", "4+3", "7+9", "9+7", "12+34", "?"};
  std::ofstream answers(target.string() + ".answers");
  const auto answered = translator.answer(questions);
  for (std::size_t i = 0; i < questions.size(); ++i) {
    answers << questions[i] << '\t' << answered[i][0].text << '\n';
  }
  std::filesystem::copy_file(options.folder.checkpoints() + "/" + translator.checkpoint(),
                             target.string() + ".safetensors");
}

}  // namespace
}  // namespace traind

int main(int argc, char** argv) {
  try {
    for (const traind::FrozenRun& frozen : traind::frozen_runs()) {
      if (argc != 3 || frozen.name != argv[1]) continue;
      traind::freeze(frozen, argv[2]);
      return 0;
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "freeze_run: %s\n", error.what());
    return 1;
  }
  std::fprintf(stderr, "usage: freeze_run NAME FOLDER; the names are in frozen_run.h\n");
  return 2;
}
