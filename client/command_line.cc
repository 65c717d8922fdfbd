#include "client/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <numeric>

#include "client/address.h"
#include "client/figures.h"
#include "client/terminal_text.h"

namespace traind {

namespace {

constexpr char kDescription[] =
    "trainctl: how is the training doing?\n"
    "\n"
    "Examples:\n"
    "  trainctl                          how the run that is active is doing\n"
    "  trainctl start run.toml --watch   check a run file, queue it, and look on\n"
    "  trainctl watch                    live: progress, figures, loss curve\n"
    "  trainctl stop --wait              save a checkpoint and end\n"
    "  trainctl resume spelling          go on from the newest checkpoint\n"
    "  trainctl wait && echo done        until the run ends\n"
    "  trainctl metrics --csv > loss.csv\n"
    "  echo speling | trainctl translate\n"
    "\n"
    "A RUN is a name or an id; left out, it is the run that is active, else the newest.\n";

// Help that shows the examples first, and one line for each verb in the list of verbs.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_subcommand(const CLI::App* verb) const override {
    const std::string description = verb->get_description();
    const std::string first = description.substr(0, description.find('\n'));
    return "  " + padded(verb->get_display_name(), 14) + first + "\n";
  }
};

std::size_t edits(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

std::string nearest_verb(const CLI::App& app, const std::string& word) {
  std::string nearest;
  std::size_t least = std::max<std::size_t>(word.size() / 3, 1) + 1;
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    const std::size_t distance = edits(word, verb->get_name());
    if (distance < least) {
      least = distance;
      nearest = verb->get_name();
    }
  }
  return nearest;
}

// CLI11 keeps references to what it fills; this is where they point.
class Parser {
 public:
  Parser();
  CommandLine parse(std::vector<std::string> arguments);

 private:
  CLI::App* verb(const std::string& name, Verb verb, const std::string& description,
                 CLI::App* parent = nullptr);
  CLI::App* with_run(CLI::App* app);
  CLI::Option* duration(CLI::App* app, const std::string& name, double& seconds,
                        const std::string& description);
  void add_globals();
  void add_changing_verbs();
  void add_reading_verbs();
  void add_other_verbs();
  std::string help_text() const;
  [[noreturn]] void refuse(const CLI::ParseError& error) const;

  Options options_;
  CLI::App app_;
  std::string help_topic_;
  bool version_ = false;
};

Parser::Parser() : app_(kDescription, "trainctl") {
  const auto formatter = std::make_shared<HelpFormatter>();
  formatter->label("SUBCOMMAND", "VERB");
  formatter->label("Subcommands", "Verbs");
  app_.formatter(formatter);
  app_.footer(
      "Exit codes: 0 ok, 1 failure, 2 usage, 3 traind unreachable, 4 not allowed, 5 no "
      "such run,\n6 wrong state, 7 the run failed, 124 timeout, 130 interrupted. More: "
      "trainctl help exit-codes");
  app_.set_help_flag("-h,--help", "Say what this is and how it is used");
  app_.fallthrough();
  app_.require_subcommand(0, 1);
  add_globals();
  add_changing_verbs();
  add_reading_verbs();
  add_other_verbs();
}

CLI::App* Parser::verb(const std::string& name, Verb verb, const std::string& description,
                       CLI::App* parent) {
  CLI::App* const app =
      (parent == nullptr ? &app_ : parent)->add_subcommand(name, description + "\n");
  app->callback([this, verb] { options_.verb = verb; });
  return app;
}

CLI::App* Parser::with_run(CLI::App* app) {
  app->add_option("RUN", options_.run, "Name or id of the run");
  return app;
}

CLI::Option* Parser::duration(CLI::App* app, const std::string& name, double& seconds,
                              const std::string& description) {
  return app
      ->add_option_function<std::string>(
          name,
          [&seconds, name](const std::string& text) {
            const std::optional<double> parsed = parse_duration(text);
            if (!parsed) {
              throw CLI::ValidationError(
                  name, "\"" + neutral(text) + "\" is no duration; write 90, 90s, 10m or 2h");
            }
            seconds = *parsed;
          },
          description)
      ->type_name("DURATION");
}

void Parser::add_globals() {
  app_.add_option("-H,--socket", options_.host,
                  std::string("Where traind listens: unix:///path or 127.0.0.1:7433 [") +
                      kDefaultAddress + "]")
      ->type_name("ADDRESS")
      ->envname("TRAINCTL_HOST");
  duration(&app_, "--timeout", options_.timeout_seconds, "How long one call may take [10s]");
  app_.add_flag("--json", options_.json, "Print JSON; its fields are in docs/json.md");
  app_.add_flag("-q,--quiet", options_.quiet, "Print no more than a script needs");
  app_.add_flag("--no-color", options_.no_color, "Use no colour (NO_COLOR does the same)");
  app_.add_flag("--ascii", options_.ascii, "Draw with ASCII characters alone");
  app_.add_flag("--version", version_, "Print trainctl's own version");
}

void Parser::add_changing_verbs() {
  CLI::App* start = verb("start", Verb::kStart,
                         "Check a run file and its corpus, and queue the run\n\nExamples:\n"
                         "  trainctl start examples/spelling.toml\n"
                         "  trainctl start run.toml --name second-try --watch\n"
                         "  trainctl start names.toml --from spelling@best");
  start->add_option("FILE", options_.run_file, "The run file (TOML)")->required();
  start->add_option("--name", options_.name, "Name of the run, instead of the run file's");
  start
      ->add_option("--from", options_.from,
                   "Begin with another run's weights; CHECKPOINT is a file, a step, best or newest")
      ->type_name("RUN[@CHECKPOINT]");
  start->add_flag("--watch", options_.watch, "Go on with `watch`");

  CLI::App* stop = with_run(verb("stop", Verb::kStop,
                                 "Save a checkpoint and end the run\n\nExamples:\n"
                                 "  trainctl stop\n  trainctl stop spelling --wait"));
  stop->add_flag("--wait", options_.wait, "Return when it has ended");

  CLI::App* resume = with_run(verb("resume", Verb::kResume,
                                   "Go on from the newest good checkpoint\n\nExamples:\n"
                                   "  trainctl resume spelling\n"
                                   "  trainctl resume spelling --epochs 20 --learning-rate 5e-4"));
  resume->add_flag("--accept-changed-data", options_.accept_changed_data,
                   "Go on although the corpus is not what it was");
  resume->add_option("--learning-rate", options_.learning_rate, "From the next step on")
      ->check(CLI::PositiveNumber);
  resume->add_option("--epochs", options_.epochs, "In all, those done included")
      ->check(CLI::PositiveNumber);
  resume->add_option("--batch-size", options_.batch_size, "From the next epoch on")
      ->check(CLI::PositiveNumber);

  with_run(verb("save", Verb::kSave, "Save a checkpoint now\n\nExamples:\n  trainctl save"));
}

void Parser::add_reading_verbs() {
  CLI::App* status = with_run(verb("status", Verb::kStatus,
                                   "How a run is doing (also without any verb)\n\nExamples:\n"
                                   "  trainctl status\n  trainctl status spelling --json"));
  status->add_flag("--exit-code", options_.exit_code, "Exit with 7 when the run has failed");

  CLI::App* watch = with_run(verb("watch", Verb::kWatch,
                                  "Look on until the run ends: live on a terminal, else one line "
                                  "per event\n\nExamples:\n  trainctl watch\n"
                                  "  trainctl watch --json | jq .event"));
  watch->add_option("--after", options_.after, "Tell what follows this sequence number (piped)")
      ->check(CLI::NonNegativeNumber);

  verb("runs", Verb::kRuns, "All runs, newest first\n\nExamples:\n  trainctl runs");

  CLI::App* wait =
      with_run(verb("wait", Verb::kWait,
                    "Return when the run has ended: 0 completed, 7 failed or "
                    "stopped\n\nExamples:\n  trainctl wait --timeout 2h && echo done"));
  duration(wait, "--timeout", options_.wait_seconds, "Give up after this long, with 124");

  CLI::App* metrics = with_run(verb("metrics", Verb::kMetrics,
                                    "All metric rows\n\nExamples:\n"
                                    "  trainctl metrics spelling --csv > loss.csv"));
  auto* form = metrics->add_option_group("form", "")->require_option(0, 1);
  form->add_flag("--csv", options_.csv, "Comma-separated, with a header");
  form->add_flag("--jsonl", options_.jsonl, "One JSON object per line");
  metrics->add_option("--after", options_.after, "Rows after this step")
      ->check(CLI::NonNegativeNumber);

  CLI::App* plot = with_run(verb("plot", Verb::kPlot,
                                 "Draw training and validation loss\n\nExamples:\n"
                                 "  trainctl plot --log"));
  plot->add_flag_callback(
      "--log", [this] { options_.scale = Scale::kLog; }, "Logarithmic scale");
  plot->add_option("--height", options_.height, "Lines")->check(CLI::Range(6, 200));

  CLI::App* logs = with_run(
      verb("logs", Verb::kLogs, "What the worker wrote\n\nExamples:\n  trainctl logs -n 50 -f"));
  logs->add_flag("-f,--follow", options_.follow, "Go on until the run ends");
  logs->add_option("-n,--lines", options_.tail_lines, "The last so many lines alone")
      ->check(CLI::Range(1, 1000000));

  with_run(verb("checkpoints", Verb::kCheckpoints,
                "A run's checkpoints, newest first\n\nExamples:\n  trainctl checkpoints"));
}

void Parser::add_other_verbs() {
  CLI::App* translate = with_run(verb("translate", Verb::kTranslate,
                                      "Answer the lines of standard input with the model\n\n"
                                      "Examples:\n  echo speling | trainctl translate\n"
                                      "  trainctl translate --best < words.txt\n"
                                      "  echo speling | trainctl translate --beam 8 --n-best 3"));
  translate->add_flag("--best", options_.best, "From the best checkpoint, not the newest");
  translate->add_option("--beam", options_.beam, "Width of the search, not the run file's")
      ->check(CLI::PositiveNumber);
  translate->add_option("--n-best", options_.n_best, "So many answers a line, with their scores")
      ->check(CLI::PositiveNumber);
  translate
      ->add_option("--temperature", options_.temperature,
                   "Draw the answers; 1 = as likely as they are")
      ->check(CLI::PositiveNumber);
  translate->add_option("--seed", options_.seed, "Of the drawing")->check(CLI::NonNegativeNumber);
  translate->add_option("--max-tokens", options_.max_tokens, "Length at which an answer is cut")
      ->check(CLI::PositiveNumber);

  with_run(
      verb("verify", Verb::kVerify,
           "Prove that a run can be resumed\n\nTrains what it trained between its two newest "
           "checkpoints anew, apart from the run,\nand compares to the last bit: 0 the same, 1 "
           "different.\n\nExamples:\n  trainctl verify\n  trainctl verify spelling --json"));

  CLI::App* mail = app_.add_subcommand("mail",
                                       "test, list or retry mails\n\nExamples:\n"
                                       "  trainctl mail test\n  trainctl mail retry 12");
  mail->require_subcommand(1);
  mail->fallthrough();
  verb("test", Verb::kMailTest, "Send a test mail", mail);
  verb("list", Verb::kMailList, "The newest mails and what became of them", mail);
  verb("retry", Verb::kMailRetry, "Send at once what waits or is dead", mail)
      ->add_option("ID", options_.mail_id, "One mail; all of them when left out")
      ->check(CLI::PositiveNumber);

  verb("version", Verb::kVersion, "Versions of trainctl and of traind");
  app_.add_subcommand("help", "Help on a verb, or on exit-codes")
      ->add_option("TOPIC", help_topic_, "A verb, or exit-codes");
}

std::string Parser::help_text() const {
  if (help_topic_ == "exit-codes") return exit_codes_help();
  // A parser that has parsed `help` would print the help of `help`.
  if (help_topic_.empty()) return Parser().app_.help();
  const auto topics = app_.get_subcommands(
      [this](const CLI::App* verb) { return verb->get_name() == help_topic_; });
  if (topics.empty()) {
    throw Failure(Exit::kUsage, "no help on \"" + neutral(help_topic_) + "\"; see trainctl help");
  }
  return topics.front()->help("trainctl");
}

void Parser::refuse(const CLI::ParseError& error) const {
  std::string text = neutral(error.what());
  const std::vector<std::string> left = app_.remaining(true);
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr && !left.empty()) {
    const std::string& word = left.back();
    text = "\"" + neutral(word) + "\" is not understood here";
    const bool no_verb = app_.get_subcommands().empty() && !word.starts_with("-");
    const std::string near = no_verb ? nearest_verb(app_, word) : "";
    if (!near.empty()) text += "; did you mean " + near + "?";
  }
  throw Failure(Exit::kUsage, text + "\nSee trainctl --help.");
}

CommandLine Parser::parse(std::vector<std::string> arguments) {
  for (const std::string& argument : arguments) {
    if (first_invalid_utf8(argument) != std::string::npos) {
      throw Failure(Exit::kUsage, "\"" + neutral(argument) + "\" is not UTF-8");
    }
  }
  // CLI11 takes them last one first.
  std::reverse(arguments.begin(), arguments.end());
  try {
    app_.parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    return {options_, Answer{app_.help()}};
  } catch (const CLI::ParseError& error) {
    refuse(error);
  }
  if (version_) return {options_, Answer{"trainctl " TRAIND_VERSION "\n"}};
  if (app_.got_subcommand("help")) return {options_, Answer{help_text()}};
  if (options_.host.empty()) options_.host = kDefaultAddress;
  return {options_, std::nullopt};
}

}  // namespace

CommandLine parse_command_line(std::vector<std::string> arguments) {
  return Parser().parse(std::move(arguments));
}

}  // namespace traind
