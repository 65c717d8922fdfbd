// What the tests of corpora start from: a folder with files in it, and settings that name them.
// One thread at a time.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "model/base/error.h"
#include "model/data/corpus.h"
#include "tests/base/scratch_folder.h"

namespace traind {

class CorpusCase : public testing::Test {
 protected:
  // Writes a file of the folder and returns its path. An older one of the name goes first: ext4
  // waits for the disk when a file is cut to nothing and written anew.
  std::string write(const std::string& name, const std::string& content) const {
    std::filesystem::remove(folder_ / name);
    std::ofstream(folder_ / name, std::ios::binary) << content;
    return folder_ / name;
  }

  // A corpus of one file, of which `fraction` is held out.
  DataSection one_file(CorpusFormat format, const std::string& path, double fraction = 0.5) const {
    DataSection data;
    data.format = format;
    data.train = path;
    data.valid_fraction = fraction;
    return data;
  }

  std::unique_ptr<Corpus> open(const DataSection& data, const NoiseSection& noise = {},
                               std::uint64_t seed = 1) const {
    return open_corpus(data, noise, {folder_.path(), seed, {}});
  }

  // The error that opening ends with; a failure of the test if there is none.
  Error error_of(const DataSection& data) const {
    try {
      open(data);
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "opened without an error";
    return {ErrorKind::kInternal, ""};
  }

  static std::vector<Example> all_train(const Corpus& corpus, int epoch = 1) {
    std::vector<Example> examples;
    for (std::int64_t i = 0; i < corpus.report().train_examples; ++i) {
      examples.push_back(corpus.train(i, epoch));
    }
    return examples;
  }

  static std::vector<Example> all_valid(const Corpus& corpus) {
    std::vector<Example> examples;
    for (std::int64_t i = 0; i < corpus.report().valid_examples; ++i) {
      examples.push_back(corpus.valid(i));
    }
    return examples;
  }

  // "PREFIX0", "PREFIX1", ... a line each.
  static std::string numbered(int count, const std::string& prefix = "line ") {
    std::string text;
    for (int i = 0; i < count; ++i) text += prefix + std::to_string(i) + "\n";
    return text;
  }

  ScratchFolder folder_;
};

}  // namespace traind
