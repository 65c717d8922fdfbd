#include "daemon/store.h"

#include "daemon/schema.h"

namespace traind {

namespace {

const std::string& not_newer(const std::string& path) {
  refuse_newer(path);
  return path;
}

}  // namespace

Store::Store(const std::string& path)
    : path_(not_newer(path)), writer_(path, DatabaseAccess::kWrite) {
  migrate(writer_);
}

std::unique_ptr<Database> Store::take_reader() const {
  {
    const std::lock_guard lock(readers_mutex_);
    if (!idle_readers_.empty()) {
      std::unique_ptr<Database> reader = std::move(idle_readers_.back());
      idle_readers_.pop_back();
      return reader;
    }
  }
  return std::make_unique<Database>(path_, DatabaseAccess::kReadOnly);
}

void Store::give_back(std::unique_ptr<Database> reader) const {
  const std::lock_guard lock(readers_mutex_);
  idle_readers_.push_back(std::move(reader));
}

}  // namespace traind
