// The words by which the run file calls its choices: one table for reading and for writing.
//
// Values; safe on any thread.
#pragma once

#include <array>

#include "model/base/choice_words.h"
#include "model/data/corpus_words.h"
#include "model/train/run_file.h"

namespace traind {

inline constexpr std::array kModelWords = {Word{ModelKind::kSeq2seq, "seq2seq"},
                                           Word{ModelKind::kLanguage, "language"}};
inline constexpr std::array kCellWords = {Word{CellKind::kLstm, "lstm"},
                                          Word{CellKind::kGru, "gru"}};
inline constexpr std::array kOptimizerWords = {
    Word{Optimizer::kAdam, "adam"}, Word{Optimizer::kAdamW, "adamw"}, Word{Optimizer::kSgd, "sgd"}};
inline constexpr std::array kMeasureWords = {
    Word{Measure::kLoss, "loss"},
    Word{Measure::kExact, "exact"},
    Word{Measure::kCharacterAccuracy, "character_accuracy"},
    Word{Measure::kCharacterErrorRate, "character_error_rate"},
    Word{Measure::kWordErrorRate, "word_error_rate"},
    Word{Measure::kBleu, "bleu"},
    Word{Measure::kCorrection, "correction"}};
inline constexpr std::array kScheduleWords = {
    Word{ScheduleKind::kConstant, "constant"}, Word{ScheduleKind::kInverseSqrt, "inverse_sqrt"},
    Word{ScheduleKind::kCosine, "cosine"}, Word{ScheduleKind::kPlateau, "plateau"}};
inline constexpr std::array kSaveTroubleWords = {Word{SaveTrouble::kContinue, "continue"},
                                                 Word{SaveTrouble::kPause, "pause"}};

}  // namespace traind
