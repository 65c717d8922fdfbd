// `trainctl translate`: lines of standard input to the model and its answers back, line by line
// for a person at a terminal, in large pieces otherwise.
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "client/figures.h"
#include "client/json_of.h"
#include "client/terminal_text.h"
#include "client/verbs.h"

namespace traind {

namespace {

constexpr int kMostLines = 1000;              // of one request
constexpr std::size_t kMostBytes = 1u << 20;  // likewise; gRPC takes 4 MiB

// Lines of a file descriptor. One thread.
class LineReader {
 public:
  explicit LineReader(int fd) : fd_(fd) {}

  // The next line without its end; nothing at the end of the input. Waits. Throws
  // Failure(kFailure).
  std::optional<std::string> next() {
    std::size_t end = 0;
    while ((end = buffer_.find('\n')) == std::string::npos && !ended_) fill();
    if (end == std::string::npos && buffer_.empty()) return std::nullopt;
    std::string line = buffer_.substr(0, end);
    buffer_.erase(0, end == std::string::npos ? end : end + 1);
    if (line.ends_with('\r')) line.pop_back();
    return line;
  }

 private:
  void fill() {
    char piece[65536];
    const ssize_t size = read(fd_, piece, sizeof(piece));
    if (size > 0) buffer_.append(piece, static_cast<std::size_t>(size));
    if (size == 0) ended_ = true;
    if (size < 0 && errno != EINTR) {
      throw Failure(Exit::kFailure,
                    std::string("cannot read standard input: ") + std::strerror(errno));
    }
  }

  const int fd_;
  std::string buffer_;
  bool ended_ = false;
};

// A file gets the answer with its marks, which right-to-left text needs.
std::string shown(const std::string& answer, const Look& look) {
  return look.terminal ? neutral(answer) : without_controls(answer);
}

// "score<TAB>answer" for each answer to a line, and an empty line.
std::string group_of(const v1::TranslateLine& line, const Look& look) {
  std::string text;
  for (const v1::TranslateAnswer& answer : line.answers()) {
    text += score_text(answer.score()) + "\t" + shown(answer.text(), look) + "\n";
  }
  return text + "\n";
}

void print_answers(Session& session, const v1::TranslateRequest& request,
                   const v1::TranslateResponse& reply) {
  if (reply.lines_size() != request.lines_size()) {
    throw Failure(Exit::kFailure, "traind answered " + std::to_string(reply.lines_size()) +
                                      " lines to " + std::to_string(request.lines_size()));
  }
  const bool with_scores = session.options.n_best > 1;
  if ((with_scores || session.options.json) && reply.results_size() != reply.lines_size()) {
    throw Failure(Exit::kFailure, "traind told no scores; is it older than this trainctl?");
  }
  std::string text;
  for (int i = 0; i < reply.lines_size(); ++i) {
    if (session.options.json) {
      text += json_line({{"input", request.lines(i)},
                         {"output", reply.lines(i)},
                         {"checkpoint", reply.checkpoint()},
                         {"answers", json_list(reply.results(i).answers())}});
    } else if (with_scores) {
      text += group_of(reply.results(i), session.look);
    } else {
      text += shown(reply.lines(i), session.look) + "\n";
    }
  }
  session.out.write(text);
}

void set_options(const Options& options, v1::TranslateRequest& request) {
  request.set_best(options.best);
  request.set_beam(options.beam);
  request.set_n_best(options.n_best);
  request.set_temperature(options.temperature);
  request.set_seed(options.seed);
  request.set_max_tokens(options.max_tokens);
}

}  // namespace

Exit translate(Session& session) {
  LineReader input(STDIN_FILENO);
  const bool person = isatty(STDIN_FILENO) == 1;
  if (person) session.say("type a line; Ctrl-D ends");
  std::string checkpoint;
  std::int64_t line_number = 0;
  for (bool more = true; more;) {
    v1::TranslateRequest request;
    request.set_run(session.options.run);
    set_options(session.options, request);
    const int most = person ? 1 : kMostLines;
    std::size_t bytes = 0;
    while (more && request.lines_size() < most && bytes < kMostBytes) {
      const std::optional<std::string> line = input.next();
      more = line.has_value();
      if (!more) break;
      ++line_number;
      if (first_invalid_utf8(*line) != std::string::npos) {
        throw Failure(Exit::kFailure,
                      "line " + std::to_string(line_number) + " of the input is not UTF-8");
      }
      bytes += line->size();
      request.add_lines(*line);
    }
    if (request.lines().empty()) break;
    const auto reply =
        session.connection.call(&Connection::Stub::Translate, request, Patience::kLong);
    if (reply.checkpoint() != checkpoint) {
      checkpoint = reply.checkpoint();
      session.say("answered by " + neutral(checkpoint));
    }
    print_answers(session, request, reply);
  }
  return Exit::kOk;
}

}  // namespace traind
