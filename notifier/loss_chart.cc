#include "notifier/loss_chart.h"

#include <cairo.h>

#include <algorithm>
#include <memory>

#include "notifier/figures.h"
#include "notifier/loss_series.h"

namespace traind {
namespace {

// Drawn in the units the mail shows it in, with two pixels to each for fine screens.
constexpr double kPixels = 2;
constexpr double kWidth = 600;
constexpr double kHeight = 300;
constexpr double kLeft = 56;
constexpr double kRight = 62;
constexpr double kTop = 40;
constexpr double kBottom = 44;

struct Colour {
  double red, green, blue;
};
constexpr Colour kTrain{0.20, 0.44, 0.77};
constexpr Colour kValid{0.87, 0.47, 0.12};
constexpr Colour kText{0.36, 0.40, 0.46};
constexpr Colour kGrid{0.89, 0.91, 0.93};

struct SurfaceGone {
  void operator()(cairo_surface_t* surface) const { cairo_surface_destroy(surface); }
};
struct ContextGone {
  void operator()(cairo_t* context) const { cairo_destroy(context); }
};

enum class Anchor { kStart, kMiddle, kEnd };

// One picture being drawn: the canvas and where a point lies on it.
class Chart {
 public:
  Chart(cairo_t* canvas, const LossSeries& series);
  void draw();

 private:
  double x_of(double epoch) const;
  double y_of(double loss) const;
  void paint_with(Colour colour, double alpha = 1);
  void write(const std::string& words, double x, double y, Anchor anchor, double size = 11);
  void draw_axes();
  void draw_curve(const std::vector<LossPoint>& points, Colour colour, double width, double alpha);
  void draw_marks(const std::vector<LossPoint>& points, Colour colour);
  void draw_legend();
  void draw_newest();

  cairo_t* const canvas_;
  const LossSeries& series_;
  const LossAxis scale_;
  double first_ = 0;  // epochs at the left and right edge
  double last_ = 1;
};

Chart::Chart(cairo_t* canvas, const LossSeries& series)
    : canvas_(canvas), series_(series), scale_(loss_scale_for(series)) {
  double low = 1e300;
  double high = -1e300;
  for (const auto* points : {&series.train, &series.valid, &series.train_rows}) {
    for (const LossPoint& point : *points) {
      low = std::min(low, point.epoch);
      high = std::max(high, point.epoch);
    }
  }
  // With one epoch the curve is made of its batches, and the axis starts where it did.
  first_ = low < 1 ? 0 : low;
  last_ = std::max(high, first_ + 1e-3);
}

double Chart::x_of(double epoch) const {
  return kLeft + (epoch - first_) / (last_ - first_) * (kWidth - kLeft - kRight);
}

double Chart::y_of(double loss) const {
  return kHeight - kBottom - scale_.share(loss) * (kHeight - kTop - kBottom);
}

void Chart::paint_with(Colour colour, double alpha) {
  cairo_set_source_rgba(canvas_, colour.red, colour.green, colour.blue, alpha);
}

void Chart::write(const std::string& words, double x, double y, Anchor anchor, double size) {
  cairo_set_font_size(canvas_, size);
  cairo_text_extents_t extents;
  cairo_text_extents(canvas_, words.c_str(), &extents);
  const double shift = anchor == Anchor::kStart    ? 0
                       : anchor == Anchor::kMiddle ? extents.x_advance / 2
                                                   : extents.x_advance;
  cairo_move_to(canvas_, x - shift, y);
  cairo_show_text(canvas_, words.c_str());
}

void Chart::draw_axes() {
  const double right = kWidth - kRight;
  const double bottom = kHeight - kBottom;
  cairo_set_line_width(canvas_, 1);
  for (const Tick& tick : scale_.ticks) {
    const double y = y_of(tick.value);
    paint_with(kGrid);
    cairo_move_to(canvas_, kLeft, y);
    cairo_line_to(canvas_, right, y);
    cairo_stroke(canvas_);
    paint_with(kText);
    write(tick.label, kLeft - 8, y + 4, Anchor::kEnd);
  }
  paint_with(kText, 0.6);
  cairo_move_to(canvas_, kLeft, bottom);
  cairo_line_to(canvas_, right, bottom);
  cairo_stroke(canvas_);
  for (const Tick& tick : epoch_ticks(first_, last_)) {
    const double x = x_of(tick.value);
    paint_with(kText, 0.6);
    cairo_move_to(canvas_, x, bottom);
    cairo_line_to(canvas_, x, bottom + 4);
    cairo_stroke(canvas_);
    paint_with(kText);
    write(tick.label, x, bottom + 17, Anchor::kMiddle);
  }
  paint_with(kText);
  write("epoch", (kLeft + right) / 2, kHeight - 9, Anchor::kMiddle);
}

void Chart::draw_curve(const std::vector<LossPoint>& points, Colour colour, double width,
                       double alpha) {
  if (points.size() < 2) return;
  paint_with(colour, alpha);
  cairo_set_line_width(canvas_, width);
  for (const LossPoint& point : points) {
    cairo_line_to(canvas_, x_of(point.epoch), y_of(point.loss));
  }
  cairo_stroke(canvas_);
}

void Chart::draw_marks(const std::vector<LossPoint>& points, Colour colour) {
  if (points.size() > 40) return;
  for (const LossPoint& point : points) {
    cairo_new_sub_path(canvas_);
    cairo_arc(canvas_, x_of(point.epoch), y_of(point.loss), 3, 0, 6.283185307179586);
    paint_with({1, 1, 1});
    cairo_fill_preserve(canvas_);
    paint_with(colour);
    cairo_set_line_width(canvas_, 1.8);
    cairo_stroke(canvas_);
  }
}

void Chart::draw_legend() {
  paint_with(kText);
  write(scale_.logarithmic ? "loss, nats a token (log scale)" : "loss, nats a token", 14, 20,
        Anchor::kStart);
  double x = kWidth - kRight;
  const auto entry = [&](const char* words, Colour colour) {
    paint_with(kText);
    write(words, x, 20, Anchor::kEnd);
    cairo_text_extents_t extents;
    cairo_text_extents(canvas_, words, &extents);
    x -= extents.x_advance + 7;
    paint_with(colour);
    cairo_set_line_width(canvas_, 2.5);
    cairo_move_to(canvas_, x - 18, 16);
    cairo_line_to(canvas_, x, 16);
    cairo_stroke(canvas_);
    x -= 36;
  };
  entry("validation", kValid);
  entry("training", kTrain);
}

// The newest losses in figures, right of the curves' ends, kept apart.
void Chart::draw_newest() {
  constexpr double kApart = 14;
  const auto& train = series_.is_by_epoch() ? series_.train : series_.train_rows;
  const auto& valid = series_.is_by_epoch() ? series_.valid : series_.valid_rows;
  if (train.empty() || valid.empty()) return;
  double train_y = y_of(train.back().loss);
  double valid_y = y_of(valid.back().loss);
  const double missing = kApart - (train_y > valid_y ? train_y - valid_y : valid_y - train_y);
  if (missing > 0) {
    const double shift = train_y > valid_y ? missing / 2 : -missing / 2;
    train_y += shift;
    valid_y -= shift;
  }
  const double lowest = kHeight - kBottom;
  const double over = std::max({0.0, train_y - lowest, valid_y - lowest});
  const double x = kWidth - kRight + 9;
  paint_with(kTrain);
  write(loss_words(train.back().loss), x, train_y - over + 4, Anchor::kStart, 12);
  paint_with(kValid);
  write(loss_words(valid.back().loss), x, valid_y - over + 4, Anchor::kStart, 12);
}

void Chart::draw() {
  cairo_scale(canvas_, kPixels, kPixels);
  paint_with({1, 1, 1});
  cairo_paint(canvas_);
  cairo_select_font_face(canvas_, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
  cairo_set_line_join(canvas_, CAIRO_LINE_JOIN_ROUND);
  cairo_set_line_cap(canvas_, CAIRO_LINE_CAP_ROUND);
  draw_axes();
  draw_legend();
  // The batches of the newest epoch are the background where there is a curve by epochs.
  const bool by_epoch = series_.is_by_epoch();
  draw_curve(series_.train_rows, kTrain, by_epoch ? 1 : 1.8, by_epoch ? 0.45 : 1);
  draw_curve(series_.valid_rows, kValid, by_epoch ? 1 : 1.8, by_epoch ? 0.45 : 1);
  if (by_epoch) {
    draw_curve(series_.train, kTrain, 2.2, 1);
    draw_curve(series_.valid, kValid, 2.2, 1);
    draw_marks(series_.train, kTrain);
    draw_marks(series_.valid, kValid);
  }
  draw_newest();
}

cairo_status_t append(void* bytes, const unsigned char* data, unsigned int size) {
  static_cast<std::string*>(bytes)->append(reinterpret_cast<const char*>(data), size);
  return CAIRO_STATUS_SUCCESS;
}

}  // namespace

std::string loss_chart_png(const Report& report) {
  const LossSeries series = loss_series_of(report);
  if (!series.is_by_epoch() && series.train_rows.size() < 2) return "";
  const std::unique_ptr<cairo_surface_t, SurfaceGone> surface(cairo_image_surface_create(
      CAIRO_FORMAT_RGB24, static_cast<int>(kWidth * kPixels), static_cast<int>(kHeight * kPixels)));
  const std::unique_ptr<cairo_t, ContextGone> canvas(cairo_create(surface.get()));
  Chart(canvas.get(), series).draw();
  std::string png;
  if (cairo_status(canvas.get()) != CAIRO_STATUS_SUCCESS ||
      cairo_surface_write_to_png_stream(surface.get(), append, &png) != CAIRO_STATUS_SUCCESS) {
    return "";
  }
  return png;
}

std::string loss_chart_words(const Report& report) {
  constexpr std::size_t kEpochsTold = 10;
  const std::size_t count = report.epochs.size();
  std::string train;
  std::string valid;
  for (std::size_t i = count - std::min(count, kEpochsTold); i < count; ++i) {
    const char* comma = train.empty() ? " " : ", ";
    train += comma + loss_words(report.epochs[i].train_loss);
    valid += comma + loss_words(report.epochs[i].valid_loss);
  }
  if (train.empty()) return "Loss within the first epoch.";
  return std::string("Loss by epoch") + (count > kEpochsTold ? ", the newest ten" : "") +
         ". Training:" + train + ". Validation:" + valid + ".";
}

}  // namespace traind
