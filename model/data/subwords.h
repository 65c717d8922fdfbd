// A sentencepiece model: cuts text into pieces of words and joins them again.
//
// Immutable after construction; safe on any thread. In a build without sentencepiece the class is
// there all the same, and making one throws Error(kConfig) that names the remedy.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace traind {

class SubwordModel {
 public:
  // More than any model that is in use has; a checkpoint carries two.
  static constexpr std::size_t kMostBytes = std::size_t{16} << 20;

  // From the bytes of a model file, sentencepiece's own format. Throws Error(kData) when they are
  // none that can be used.
  explicit SubwordModel(std::string bytes);
  ~SubwordModel();

  const std::string& bytes() const { return bytes_; }
  // The pieces that text is made of, by number from 0; U+2581 stands for a space. What the model
  // has beside them (marks, the unknown piece) has no number.
  const std::vector<std::string>& pieces() const { return pieces_; }

  // Numbers of pieces. A run of characters that the model does not know is one kUnknown.
  std::vector<std::int32_t> encode(std::string_view text) const;
  // Of encode(text) it is the text, as far as the model keeps text as it is: one that
  // learn_subwords() has made does so but for U+2581, which comes back as a space. kUnknown is
  // U+FFFD.
  std::string decode(std::span<const std::int32_t> numbers) const;
  static constexpr std::int32_t kUnknown = -1;

 private:
  struct Processor;

  std::string bytes_;
  std::vector<std::string> pieces_;
  std::unique_ptr<Processor> processor_;
};

// What subwords are learnt from: line(i) for 0 <= i < lines, each asked for once, in order, on
// another thread than the caller's.
struct SubwordLines {
  std::int64_t lines = 0;
  std::function<std::string(std::int64_t)> line;
};

// Above so many lines, evenly spread ones of them are learnt from: more change little and cost
// minutes.
inline constexpr std::int64_t kMostSubwordLines = 500'000;

// The bytes of a unigram model (Kudo, "Subword Regularization", ACL 2018) of at most `pieces`
// pieces; fewer where the text does not give so many. Text is not normalised, and of its characters
// the rarest 0.05 % get no piece. The same lines give the same bytes. Waits, minutes for a large
// corpus, and calls `on_progress` (may be empty) from the caller's thread whenever the learning has
// used some milliseconds of a processor; what that throws is passed on once sentencepiece is done.
// Throws Error(kData) where the lines do not suffice or `pieces` cannot hold their characters.
std::string learn_subwords(const SubwordLines& lines, std::int64_t pieces,
                           const std::function<void()>& on_progress);

}  // namespace traind
