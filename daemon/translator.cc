#include "daemon/translator.h"

#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "daemon/worker_call.h"
#include "model/base/error.h"

namespace traind {
namespace {

constexpr int kMostLines = 1000;
// What the worker takes.
constexpr double kMostAnswers = 64;
constexpr double kHottest = 100;
constexpr double kMostTokens = 100'000;

std::string input_of(const v1::TranslateRequest& request) {
  if (request.lines_size() > kMostLines) {
    throw Error(ErrorKind::kConfig, "at most 1000 lines can be translated at once");
  }
  std::string input;
  for (const std::string& line : request.lines()) {
    if (line.find('\n') != std::string::npos) {
      throw Error(ErrorKind::kConfig, "a line to translate must not contain a line end");
    }
    input += line + "\n";
  }
  return input;
}

void refuse_options(const v1::TranslateRequest& request) {
  const auto within = [](const char* what, double value, double most) {
    // Written so that a NaN is refused too.
    if (value >= 0 && value <= most) return;
    throw Error(ErrorKind::kConfig,
                std::string(what) + " must be from 0 to " + std::to_string(std::lround(most)));
  };
  within("beam", request.beam(), kMostAnswers);
  within("n_best", request.n_best(), kMostAnswers);
  within("temperature", request.temperature(), kHottest);
  within("max_tokens", request.max_tokens(), kMostTokens);
}

std::vector<std::string> arguments_of(const v1::TranslateRequest& request,
                                      const std::string& folder) {
  std::vector<std::string> arguments = {"translate", "--folder", folder, "--framed"};
  const auto add = [&](const char* option, const std::string& value) {
    arguments.insert(arguments.end(), {option, value});
  };
  if (request.best()) arguments.emplace_back("--best");
  if (request.beam() > 0) add("--beam", std::to_string(request.beam()));
  if (request.n_best() > 0) add("--n-best", std::to_string(request.n_best()));
  if (request.temperature() > 0) {
    char digits[32];
    std::snprintf(digits, sizeof digits, "%.17g", request.temperature());
    add("--temperature", digits);
  }
  if (request.seed() > 0) add("--seed", std::to_string(request.seed()));
  if (request.max_tokens() > 0) add("--max-tokens", std::to_string(request.max_tokens()));
  return arguments;
}

}  // namespace

void translate(const DaemonConfig& config, const RunRow& run, const v1::TranslateRequest& request,
               v1::TranslateResponse& response, const std::stop_token& stop) {
  refuse_options(request);
  const WorkerCall call{config.worker.program, arguments_of(request, config.run_folder(run.id)),
                        input_of(request), config.worker.translate_timeout};
  v1::TranslateResult result;
  if (!result.ParseFromString(answer_of(call, stop))) {
    throw Error(ErrorKind::kCorrupt, call.program + " translate gave an answer that is none");
  }
  if (!result.kind().empty()) {
    throw Error(error_kind_from_name(result.kind()), result.message());
  }
  if (result.lines_size() != request.lines_size()) {
    throw Error(ErrorKind::kInternal, call.program + " translate answered " +
                                          std::to_string(result.lines_size()) + " of " +
                                          std::to_string(request.lines_size()) + " lines");
  }
  response.mutable_lines()->Swap(result.mutable_lines());
  response.mutable_results()->Swap(result.mutable_results());
  response.set_checkpoint(result.checkpoint());
}

}  // namespace traind
