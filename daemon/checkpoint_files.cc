#include "daemon/checkpoint_files.h"

#include <filesystem>
#include <string_view>
#include <system_error>

#include "model/base/error.h"
#include "model/base/files.h"

namespace traind {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "checkpoint-";
constexpr std::string_view kEnding = ".safetensors";
constexpr std::string_view kQuarantined = ".quarantined";

std::string quarantined(const std::string& file) { return file + std::string(kQuarantined); }

void move(const std::string& folder, const std::string& from, const std::string& to) {
  if (is_missing(folder, from) && !is_missing(folder, to)) return;
  posix_files().rename(folder + "/" + from, folder + "/" + to);
  posix_files().sync_directory(folder);
}

// The newest names of either kind; empty = none.
struct Newest {
  std::string in_use;
  std::string aside;
};

Newest newest_in(const std::string& folder) {
  Newest newest;
  std::error_code error;
  for (fs::directory_iterator at(folder, error); !error && at != fs::directory_iterator();
       at.increment(error)) {
    std::string name = at->path().filename().string();
    const bool is_aside = name.ends_with(kQuarantined);
    if (is_aside) name.resize(name.size() - kQuarantined.size());
    if (!name.starts_with(kPrefix) || !name.ends_with(kEnding)) continue;
    std::string& kept = is_aside ? newest.aside : newest.in_use;
    if (is_newer_checkpoint(name, kept)) kept = std::move(name);
  }
  return newest;
}

}  // namespace

// Steps have twelve digits with zeros in front, and more when they need more.
bool is_newer_checkpoint(const std::string& file, const std::string& than) {
  return file.size() != than.size() ? file.size() > than.size() : file > than;
}

void set_aside(const std::string& folder, const std::string& file) {
  if (!is_missing(folder, file) && !is_missing(folder, quarantined(file))) {
    throw Error(ErrorKind::kIo, folder + "/" + quarantined(file) + " is there already");
  }
  move(folder, file, quarantined(file));
}

void put_back(const std::string& folder, const std::string& file) {
  if (is_missing(folder, file)) move(folder, quarantined(file), file);
}

std::string newest_set_aside(const std::string& folder) {
  const Newest newest = newest_in(folder);
  return is_newer_checkpoint(newest.aside, newest.in_use) ? newest.aside : "";
}

bool is_missing(const std::string& folder, const std::string& file) {
  std::error_code ignored;
  return fs::symlink_status(folder + "/" + file, ignored).type() == fs::file_type::not_found;
}

bool is_emptied(const std::string& folder) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) return false;
  const Newest newest = newest_in(folder);
  return newest.in_use.empty() && newest.aside.empty();
}

}  // namespace traind
