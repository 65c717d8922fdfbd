#include "model/data/reading_pace.h"

namespace traind {
namespace {

// How much of the file stays resident behind the walk.
constexpr std::size_t kWindow = std::size_t{32} << 20;

}  // namespace

ReadingPace::ReadingPace(const MappedFile& file, const std::function<void()>& on_progress)
    : file_(file), on_progress_(on_progress) {
  file_.expect_sequential();
}

ReadingPace::~ReadingPace() {
  if (forgotten_ > 0) file_.forget(forgotten_, file_.bytes().size());
}

void ReadingPace::show(std::size_t offset) {
  shown_at_ = offset;
  steps_ = 0;
  if (offset - forgotten_ >= kWindow) {
    file_.forget(forgotten_, offset);
    forgotten_ = offset;
  }
  show_life();
}

}  // namespace traind
