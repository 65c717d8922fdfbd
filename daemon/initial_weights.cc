#include "daemon/initial_weights.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "daemon/descriptor.h"
#include "daemon/run_rows.h"
#include "daemon/training_rows.h"
#include "model/base/error.h"
#include "model/base/files.h"

namespace traind {
namespace {

namespace fs = std::filesystem;

constexpr char kBetween = '@';

struct Wanted {
  std::string run;
  std::string checkpoint;
};

Wanted read_wanted(const std::string& text) {
  const std::size_t at = text.find(kBetween);
  Wanted wanted{text.substr(0, at), at == std::string::npos ? "newest" : text.substr(at + 1)};
  if (wanted.run.empty() || wanted.checkpoint.empty()) {
    throw Error(ErrorKind::kConfig,
                "\"" + text + "\" names no checkpoint: write RUN or RUN@CHECKPOINT");
  }
  return wanted;
}

// Those that are meant, newest first.
std::vector<CheckpointRow> matching(std::vector<CheckpointRow> kept, const std::string& wanted) {
  if (wanted == "newest") return kept;
  std::erase_if(kept, [&](const CheckpointRow& row) {
    if (wanted == "best") return !row.saved.best;
    return row.saved.file != wanted && std::to_string(row.saved.step) != wanted;
  });
  if (kept.size() > 1) kept.resize(1);
  return kept;
}

void copy_durably(const std::string& from, const std::string& to) {
  const std::string partial = to + kTemporarySuffix;
  try {
    fs::copy_file(from, partial, fs::copy_options::overwrite_existing);
  } catch (const fs::filesystem_error& error) {
    throw system_error(partial, error.code().value());
  }
  FileOps& files = posix_files();
  {
    const Descriptor file(open(partial.c_str(), O_WRONLY | O_CLOEXEC));
    if (!file.open()) throw system_error(partial, errno);
    files.sync(file.get(), partial);
  }
  files.rename(partial, to);
}

}  // namespace

std::vector<InitialWeights> weights_meant(const DaemonConfig& config, const Store& store,
                                          const std::string& wanted) {
  const Wanted words = read_wanted(wanted);
  return store.read([&](Database& db) {
    const RunRow run = find_run(db, words.run);
    const std::string folder = config.run_folder(run.id) + "/checkpoints/";
    std::vector<InitialWeights> meant;
    for (const CheckpointRow& row : matching(checkpoints_of(db, run.run), words.checkpoint)) {
      meant.push_back({run.name + kBetween + row.saved.file, folder + row.saved.file});
    }
    if (meant.empty()) {
      throw Error(ErrorKind::kNotFound, "run " + run.name + " has no checkpoint " +
                                            words.checkpoint + ": `trainctl checkpoints " +
                                            run.name + "` lists those there are");
    }
    return meant;
  });
}

std::string initial_weights_path(const std::string& run_folder) {
  return run_folder + "/initial.safetensors";
}

bool take_weights(const InitialWeights& weights, const std::string& run_folder) {
  const std::string path = initial_weights_path(run_folder);
  if (unlink(path.c_str()) != 0 && errno != ENOENT) throw system_error(path, errno);
  if (link(weights.path.c_str(), path.c_str()) != 0) {
    if (errno == ENOENT) return false;
    copy_durably(weights.path, path);
  }
  posix_files().sync_directory(run_folder);
  return true;
}

}  // namespace traind
