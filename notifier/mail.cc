#include "notifier/mail.h"

#include "notifier/facts.h"
#include "notifier/loss_chart.h"
#include "notifier/mail_html.h"
#include "notifier/mail_text.h"

namespace traind {

Mail compose_mail(const Report& report) {
  Mail mail;
  mail.subject = subject_of(report);
  mail.text = text_of(report);
  if (report.kind != ReportKind::kTest) mail.chart_png = loss_chart_png(report);
  mail.html = html_of(report, mail.chart_png.empty() ? "" : loss_chart_words(report));
  return mail;
}

}  // namespace traind
