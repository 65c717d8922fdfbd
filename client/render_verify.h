// What a verification found, and how far it is, as text.
//
// Pure functions of the replies and the look; safe on any thread. Strings of the replies come out
// neutral.
#pragma once

#include <string>

#include "client/look.h"
#include "traind/v1/training.pb.h"

namespace traind {

// The whole of `trainctl verify`, ending with a newline.
std::string render_verify(const v1::Run& run, const v1::VerifyResult& result, const Look& look);

// "same", "close", "different", as in JSON.
std::string name_of(v1::Verdict verdict);

// One line, of at most look.width columns: "trained anew: 75 of 275 steps ...".
std::string verify_line(const v1::VerifyProgress& progress, const Look& look);

}  // namespace traind
