// Looks into a sentencepiece model file for what the library itself would trust: the table by which
// text is normalised, a trie that is walked without bounds.
//
// A pure function; safe on any thread.
#pragma once

#include <string>
#include <string_view>

namespace traind {

// Why the file must not be given to the library; empty = nothing is wrong with its tables. Whether
// it is a model at all the library says.
std::string fault_of_subword_file(std::string_view bytes);

}  // namespace traind
