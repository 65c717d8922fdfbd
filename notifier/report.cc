#include "notifier/report.h"

namespace traind {

const char* name_of(ReportKind kind) noexcept {
  switch (kind) {
    case ReportKind::kStart:
      return "start";
    case ReportKind::kEpoch:
      return "epoch";
    case ReportKind::kEnd:
      return "end";
    case ReportKind::kFailure:
      return "failure";
    case ReportKind::kRestart:
      return "restart";
    case ReportKind::kWarning:
      return "warning";
    case ReportKind::kDigest:
      return "digest";
    case ReportKind::kTest:
      return "test";
  }
  return "test";
}

}  // namespace traind
