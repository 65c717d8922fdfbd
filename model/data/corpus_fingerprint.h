// The settings part of a corpus' fingerprint.
//
// A pure function; safe on any thread. The text is part of every checkpoint's identity: what it
// says for given settings must never change.
#pragma once

#include <string>

#include "model/data/corpus_settings.h"

namespace traind {

// Names everything that shapes examples, and no path. Noise counts only for "lines", the fraction
// only where no file is held out.
std::string shaping_settings(const DataSection& data, const NoiseSection& noise);

}  // namespace traind
