#include "daemon/logging.h"

#include <grpc/support/log.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>

#include "model/base/plain_text.h"

namespace traind {
namespace {

constexpr std::size_t kLongestPiece = 1000;
constexpr std::size_t kLongestLine = 4000;

// Every line passes here, whoever made it and of what.
class HarmlessText : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    const std::string line =
        one_line({message.payload.data(), message.payload.size()}, kLongestLine);
    out.append(line.data(), line.data() + line.size());
  }
  std::unique_ptr<spdlog::custom_flag_formatter> clone() const override {
    return std::make_unique<HarmlessText>();
  }
};

// gRPC's complaints may hold what a caller sent.
void take_from_grpc(gpr_log_func_args* told) {
  const auto level = told->severity == GPR_LOG_SEVERITY_ERROR  ? spdlog::level::err
                     : told->severity == GPR_LOG_SEVERITY_INFO ? spdlog::level::info
                                                               : spdlog::level::debug;
  spdlog::log(level, "gRPC: {}", told->message);
}

}  // namespace

void setup_logging(const std::string& level) {
  auto logger = std::make_shared<spdlog::logger>(
      "traind", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  // NOLINTNEXTLINE(concurrency-mt-unsafe): before any thread
  const bool journal = std::getenv("JOURNAL_STREAM") != nullptr;
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<HarmlessText>('*').set_pattern(journal ? "%*"
                                                             : "%Y-%m-%dT%H:%M:%S.%e%z %^%l%$ %*");
  logger->set_formatter(std::move(formatter));
  logger->set_level(spdlog::level::from_str(level));
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
  gpr_set_log_function(take_from_grpc);
}

std::string printable(std::string_view text) { return one_line(text, kLongestPiece); }

}  // namespace traind
