#include <unistd.h>

#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#include "model/base/error.h"
#include "model/base/files.h"
#include "model/base/plain_text.h"
#include "model/train/run_file.h"
#include "model/train/translator.h"
#include "model/worker/commands.h"
#include "model/worker/console.h"
#include "model/worker/frame.h"
#include "traind/v1/worker.pb.h"

namespace traind {
namespace {

v1::TranslateResult translate(const TranslateArguments& arguments) {
  v1::TranslateResult result;
  const RunFolder folder{arguments.folder};
  const RunFile run = parse_run_file(read_whole(folder.run_file()), folder.run_file(), folder.path);
  const Translator translator(run, folder, arguments.options);
  result.set_checkpoint(translator.checkpoint());
  std::vector<std::string> lines;
  for (std::string line; std::getline(std::cin, line);) lines.push_back(line);
  for (const std::vector<Answer>& answers : translator.answer(lines)) {
    result.add_lines(answers.front().text);
    v1::TranslateLine& line = *result.add_results();
    for (const Answer& answer : answers) {
      v1::TranslateAnswer& one = *line.add_answers();
      one.set_text(answer.text);
      one.set_score(answer.score);
      one.set_log_probability(answer.log_probability);
      one.set_ended(answer.ended);
    }
  }
  return result;
}

// A line for a line, or with several answers a group for a line, an empty line after each.
void print(const v1::TranslateResult& result, bool grouped) {
  for (const v1::TranslateLine& line : result.results()) {
    for (const v1::TranslateAnswer& answer : line.answers()) {
      if (grouped) std::cout << std::fixed << std::setprecision(4) << answer.score() << '\t';
      std::cout << result_line(answer.text()) << '\n';
    }
    if (grouped) std::cout << '\n';
  }
}

}  // namespace

int translate_command(const TranslateArguments& arguments) {
  if (!arguments.framed) {
    const v1::TranslateResult result = translate(arguments);
    print(result, arguments.options.answers > 1);
    return std::cout.flush() ? 0 : 1;
  }
  v1::TranslateResult result;
  try {
    result = translate(arguments);
  } catch (const std::exception& caught) {
    const Error error = error_of(caught);
    result.set_kind(name_of(error.kind()));
    result.set_message(one_line(error.what()));
  }
  return write_frame(STDOUT_FILENO, result.SerializeAsString()) ? 0 : 1;
}

}  // namespace traind
