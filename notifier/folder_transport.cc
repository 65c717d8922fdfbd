#include <exception>
#include <memory>

#include "model/base/error.h"
#include "model/base/files.h"
#include "notifier/mail_transport.h"
#include "notifier/safe_text.h"

namespace traind {
namespace {

// Letters, digits, '.', '_', '-', and no dot in front: cannot leave the folder or hide in it.
bool is_safe_stem(const std::string& stem) {
  constexpr std::size_t kLongest = 200;
  return !stem.empty() && stem.size() <= kLongest && stem.front() != '.' &&
         stem.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
             "._-") == std::string::npos;
}

class FolderTransport : public MailTransport {
 public:
  explicit FolderTransport(const std::string& folder) : folder_(folder) { make_folders(folder_); }

  SendResult send(const OutgoingMessage& message) noexcept override {
    SendResult result;
    try {
      if (!is_safe_stem(message.file_stem)) {
        result.outcome = SendOutcome::kPermanent;
        result.detail = "not a safe file name: " + one_line(message.file_stem, 100);
        return result;
      }
      const std::string path = folder_ + "/" + message.file_stem + ".eml";
      write_durably(posix_files(), path, message.bytes);
      result.outcome = SendOutcome::kSent;
      result.detail = one_line("written to " + path, 299);
    } catch (const std::exception& error) {
      // A full or read-only disk can be mended.
      result.outcome = SendOutcome::kTemporary;
      result.trouble = SendTrouble::kServer;
      try {
        result.detail = one_line(error.what(), 299);
      } catch (const std::exception&) {
        result.detail.clear();
      }
    }
    return result;
  }

  std::string description() const override { return folder_; }

 private:
  const std::string folder_;
};

}  // namespace

std::unique_ptr<MailTransport> make_folder_transport(const std::string& folder) {
  if (folder.empty()) throw Error(ErrorKind::kConfig, "mail: the folder's name is empty");
  return std::make_unique<FolderTransport>(folder);
}

}  // namespace traind
