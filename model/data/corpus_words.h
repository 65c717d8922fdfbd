// How the run file and the corpus' fingerprint call the choices of corpus_settings.h. Constant
// tables; safe on any thread. A word that has been written into a checkpoint must never change.
#pragma once

#include <array>

#include "model/base/choice_words.h"
#include "model/data/corpus_settings.h"

namespace traind {

inline constexpr std::array kFormatWords = {
    Word{CorpusFormat::kLines, "lines"}, Word{CorpusFormat::kTsv, "tsv"},
    Word{CorpusFormat::kParallel, "parallel"}, Word{CorpusFormat::kText, "text"},
    Word{CorpusFormat::kDictionary, "dictionary"}};
inline constexpr std::array kTokenWords = {Word{TokenKind::kCharacters, "characters"},
                                           Word{TokenKind::kWords, "words"},
                                           Word{TokenKind::kSubwords, "subwords"}};
inline constexpr std::array kBadLineWords = {Word{BadLines::kRefuse, "refuse"},
                                             Word{BadLines::kSkip, "skip"}};

}  // namespace traind
