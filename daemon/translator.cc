#include "daemon/translator.h"

#include "daemon/worker_call.h"
#include "model/base/error.h"

namespace traind {
namespace {

constexpr int kMostLines = 1000;

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

}  // namespace

void translate(const DaemonConfig& config, const RunRow& run, const v1::TranslateRequest& request,
               v1::TranslateResponse& response, const std::stop_token& stop) {
  WorkerCall call{config.worker.program,
                  {"translate", "--folder", config.run_folder(run.id), "--framed"},
                  input_of(request),
                  config.worker.translate_timeout};
  if (request.best()) call.arguments.emplace_back("--best");
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
  response.set_checkpoint(result.checkpoint());
}

}  // namespace traind
