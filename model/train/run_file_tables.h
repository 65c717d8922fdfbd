// The tables of the run file, each read into its section: the parts of parse_run_file().
//
// Each throws Error(kConfig) with file and line for a wrong type, a value out of range, and keys
// that do not go together. Owned by whoever parses; one thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <string>

#include "model/base/toml_reader.h"
#include "model/train/run_file.h"
#include "model/train/run_file_words.h"

namespace traind {

// Relative paths are taken from `base_folder`.
void read_data(TomlReader& in, const std::string& base_folder, DataSection& data);
// After read_data().
void read_noise(TomlReader& in, const DataSection& data, NoiseSection& noise);
// After read_data().
void read_model(TomlReader& in, const DataSection& data, ModelSection& model);
// After read_model().
void read_train(TomlReader& in, const ModelSection& model, TrainSection& train);
// After read_train().
void read_schedule(TomlReader& in, const TrainSection& train, ScheduleSection& schedule);
void read_decode(TomlReader& in, DecodeSection& decode);

// One of the table's words; the fallback when the key is not there.
template <typename Choice, std::size_t kCount>
Choice read_word(TomlReader& in, const std::string& table, const std::string& key,
                 const std::array<Word<Choice>, kCount>& words, Choice fallback) {
  return choice_of_word(words, in.choice(table, key, word_of(words, fallback), texts_of(words)));
}

}  // namespace traind
