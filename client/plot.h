// The loss of a run over its steps as a picture made of text: training as a line of dots,
// validation as circles, with labelled axes and a legend, readable without colour.
//
// Pure functions; safe on any thread. Points come in any order of arrival but sorted by step;
// those that are not finite (or, on a log scale, not positive) are left out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "client/look.h"

namespace traind {

struct Point {
  std::int64_t step = 0;
  double loss = 0;  // nats a token
};

struct Curves {
  std::vector<Point> training;
  std::vector<Point> validation;
};

enum class Scale { kLinear, kLog };

struct PlotSize {
  int columns = 80;
  int rows = 16;  // all of it: axes and legend too
};

// Exactly `size.rows` lines without newlines, none wider than `size.columns`; fewer, saying so,
// when there is nothing to draw or no room.
std::vector<std::string> plot(const Curves& curves, PlotSize size, Scale scale, const Look& look);

}  // namespace traind
