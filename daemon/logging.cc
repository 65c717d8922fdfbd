#include "daemon/logging.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>

namespace traind {
namespace {

constexpr std::size_t kLongestPiece = 1000;

}  // namespace

void setup_logging(const std::string& level) {
  auto logger = std::make_shared<spdlog::logger>(
      "traind", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  // NOLINTNEXTLINE(concurrency-mt-unsafe): before any thread
  const bool journal = std::getenv("JOURNAL_STREAM") != nullptr;
  logger->set_pattern(journal ? "%v" : "%Y-%m-%dT%H:%M:%S.%e%z %^%l%$ %v");
  logger->set_level(spdlog::level::from_str(level));
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
}

std::string printable(std::string_view text) {
  std::string line;
  const bool cut = text.size() > kLongestPiece;
  for (const char c : text.substr(0, kLongestPiece)) {
    const auto byte = static_cast<unsigned char>(c);
    line.push_back(byte < 0x20 || byte == 0x7F ? '?' : c);
  }
  // C1 controls are two bytes in UTF-8, 0xC2 0x80..0x9F.
  for (std::size_t i = 0; i + 1 < line.size(); ++i) {
    const auto next = static_cast<unsigned char>(line[i + 1]);
    if (line[i] == '\xC2' && next >= 0x80 && next <= 0x9F) line[i] = line[i + 1] = '?';
  }
  return cut ? line + " ..." : line;
}

}  // namespace traind
