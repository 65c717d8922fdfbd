#include "client/verbs.h"

namespace traind {

Exit run_verb(Session& session) {
  switch (session.options.verb) {
    case Verb::kStatus:
      return status(session);
    case Verb::kWatch:
      return watch(session, session.options.run);
    case Verb::kRuns:
      return runs(session);
    case Verb::kStart:
      return start(session);
    case Verb::kStop:
      return stop(session);
    case Verb::kResume:
      return resume(session);
    case Verb::kWait:
      return wait_for_end(session);
    case Verb::kSave:
      return save(session);
    case Verb::kMetrics:
      return metrics(session);
    case Verb::kPlot:
      return plot_losses(session);
    case Verb::kLogs:
      return logs(session);
    case Verb::kCheckpoints:
      return checkpoints(session);
    case Verb::kTranslate:
      return translate(session);
    case Verb::kVerify:
      return verify(session);
    case Verb::kMailTest:
      return mail_test(session);
    case Verb::kMailList:
      return mail_list(session);
    case Verb::kMailRetry:
      return mail_retry(session);
    case Verb::kVersion:
      return version(session);
  }
  return Exit::kUsage;
}

}  // namespace traind
