#include "client/json_of.h"
#include "client/render_lists.h"
#include "client/terminal_text.h"
#include "client/verbs.h"

namespace traind {

Exit mail_test(Session& session) {
  const auto reply =
      session.connection.call(&Connection::Stub::SendTestMail, v1::SendTestMailRequest());
  std::string recipients;
  Json list = Json::array();
  for (const std::string& recipient : reply.recipients()) {
    recipients += (recipients.empty() ? "" : ", ") + neutral(recipient);
    list.push_back(recipient);
  }
  if (session.options.json) {
    session.out.write(json_text({{"recipients", list}, {"transport", reply.transport()}}));
  } else {
    session.out.write("a test mail to " + recipients + " is on its way through " +
                      neutral(reply.transport()) + "\n");
    session.say("`trainctl mail list` shows what becomes of it");
  }
  return Exit::kOk;
}

Exit mail_list(Session& session) {
  const auto reply = session.connection.call(&Connection::Stub::ListMails, v1::ListMailsRequest());
  if (session.options.json) {
    session.out.write(json_text({{"mails", json_list(reply.mails())}}));
  } else if (session.options.quiet) {
    for (const v1::Mail& mail : reply.mails()) session.out.write(std::to_string(mail.id()) + "\n");
  } else {
    session.out.write(render_mails(reply, session.look));
  }
  return Exit::kOk;
}

Exit mail_retry(Session& session) {
  v1::RetryMailRequest request;
  request.set_id(session.options.mail_id);
  const auto reply = session.connection.call(&Connection::Stub::RetryMail, request);
  if (session.options.json) {
    session.out.write(json_text({{"mails", reply.mails()}}));
  } else {
    session.out.write(std::to_string(reply.mails()) +
                      (reply.mails() == 1 ? " mail is" : " mails are") + " to be sent again\n");
  }
  return Exit::kOk;
}

}  // namespace traind
