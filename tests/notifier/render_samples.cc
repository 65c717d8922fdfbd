// Writes one message of each kind, and one with each hostile string in every place at once, as
// .eml files into the folder named on the command line: food for message_parse_test.py.

#include <fstream>
#include <iostream>

#include "notifier/mail.h"
#include "tests/notifier/sample_reports.h"

namespace traind {
namespace {

void write_message(const std::string& path, const Report& report, const MailIdentity& identity) {
  std::ofstream(path, std::ios::binary)
      << render_message(compose_mail(report), identity, report, "me@example.org", "sample");
}

void write_all(const std::string& folder) {
  for (const ReportKind kind : all_report_kinds()) {
    write_message(folder + "/" + name_of(kind) + ".eml", sample_report(kind), sample_identity());
  }
  int number = 0;
  for (const std::string& text : hostile_strings()) {
    Report report = small_report(ReportKind::kFailure);
    MailIdentity identity = sample_identity();
    for (const OutsideField& field : outside_fields()) {
      if (std::string(field.name) != "run id") field.put(report, identity, text);
    }
    write_message(folder + "/hostile-" + std::to_string(number++) + ".eml", report, identity);
  }
}

}  // namespace
}  // namespace traind

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: render_samples FOLDER\n";
    return 2;
  }
  traind::write_all(argv[1]);
  return 0;
}
