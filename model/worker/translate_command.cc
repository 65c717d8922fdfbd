#include <unistd.h>

#include <iostream>
#include <string>
#include <vector>

#include "model/base/error.h"
#include "model/base/files.h"
#include "model/train/run_file.h"
#include "model/train/translator.h"
#include "model/worker/commands.h"
#include "model/worker/frame.h"
#include "traind/v1/worker.pb.h"

namespace traind {
namespace {

v1::TranslateResult translate(const TranslateArguments& arguments) {
  v1::TranslateResult result;
  const RunFolder folder{arguments.folder};
  const RunFile run = parse_run_file(read_whole(folder.run_file()), folder.run_file(), folder.path);
  Translator translator(run, folder, arguments.best);
  result.set_checkpoint(translator.checkpoint());
  std::vector<std::string> lines;
  for (std::string line; std::getline(std::cin, line);) lines.push_back(line);
  for (const std::string& answer : translator.answer(lines)) result.add_lines(answer);
  return result;
}

}  // namespace

int translate_command(const TranslateArguments& arguments) {
  if (!arguments.framed) {
    const v1::TranslateResult result = translate(arguments);
    for (const std::string& line : result.lines()) std::cout << line << '\n';
    return std::cout.flush() ? 0 : 1;
  }
  v1::TranslateResult result;
  try {
    result = translate(arguments);
  } catch (const Error& error) {
    result.set_kind(name_of(error.kind()));
    result.set_message(error.what());
  }
  return write_frame(STDOUT_FILENO, result.SerializeAsString()) ? 0 : 1;
}

}  // namespace traind
