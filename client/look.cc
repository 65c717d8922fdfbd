#include "client/look.h"

#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

namespace traind {

namespace {

std::string_view variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

int columns_wanted() {
  const int columns = std::atoi(std::string(variable("COLUMNS")).c_str());
  return columns >= 20 && columns <= 1000 ? columns : 0;
}

}  // namespace

std::string painted(const Look& look, Ink ink, std::string_view text) {
  if (!look.color || ink == Ink::kNone) return std::string(text);
  const char* code = "";
  switch (ink) {
    case Ink::kNone:
      break;
    case Ink::kBold:
      code = "1";
      break;
    case Ink::kDim:
      code = "2";
      break;
    case Ink::kRed:
      code = "31";
      break;
    case Ink::kGreen:
      code = "32";
      break;
    case Ink::kYellow:
      code = "33";
      break;
    case Ink::kCyan:
      code = "36";
      break;
  }
  return "\x1b[" + std::string(code) + "m" + std::string(text) + "\x1b[0m";
}

TerminalSize terminal_size(int fd) {
  winsize size{};
  TerminalSize result;
  if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
    result = {size.ws_col, size.ws_row};
  }
  return result;
}

Look look_of(int fd, bool no_color, bool ascii) {
  Look look;
  look.terminal = isatty(fd) == 1;
  const bool forced = !variable("CLICOLOR_FORCE").empty() && variable("CLICOLOR_FORCE") != "0";
  const bool refused = no_color || !variable("NO_COLOR").empty() || variable("CLICOLOR") == "0" ||
                       variable("TERM") == "dumb";
  look.color = !refused && (look.terminal || forced);
  look.unicode = !ascii && std::string_view(nl_langinfo(CODESET)) == "UTF-8";
  const int wanted = columns_wanted();
  look.width = wanted > 0 ? wanted : terminal_size(fd).columns;
  look.now_micros = std::chrono::duration_cast<std::chrono::microseconds>(
                        std::chrono::system_clock::now().time_since_epoch())
                        .count();
  return look;
}

}  // namespace traind
