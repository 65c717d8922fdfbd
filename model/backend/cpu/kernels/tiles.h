// Matrix products from packed panels: a tile of 6 rows by one panel stays in registers for the
// whole inner loop. Included by kernels_*.cc only, once per instruction set.
//
// `Math` is the arithmetic of the operands (float32.h, bfloat16.h). It gives
//   Element      4 bytes: as many terms of a sum as one multiplication takes, kTerms
//   Rounded      an operand as round() writes it
//   multiply_add sum + left * column, for an Element and a vector of them
//   join, fill, interleave   operands to Elements, from floats and from Rounded
//
// The order of additions for an element: blocks of `depth` in turn, each summed from its first to
// its last term, then added to what was there. It depends on nothing but the depth.
#pragma once

#include "model/backend/cpu/kernels/kernels.h"
#include "model/backend/cpu/kernels/simd.h"

namespace traind::cpu {
namespace {

constexpr int kDepthBlock = 512;  // Elements
constexpr int kRowBlock = 192;
constexpr int kFilledRowBlock = 48;  // where floats are rounded on the way in
constexpr int kCacheLine = 16;       // Elements

inline int smaller(int a, int b) { return a < b ? a : b; }
inline int lanes_up(int n) { return (n + kLanes - 1) / kLanes * kLanes; }
template <class Math>
inline int elements_of(int depth) {
  return (depth + Math::kTerms - 1) / Math::kTerms;
}

// Where a tile reads: row r of a at r * row_stride, and b, a panel. `next` is what later tiles will
// read: for each term, a cache line of it, or as much as a strip's row, comes nearer meanwhile.
template <class Math>
struct TileInput {
  const typename Math::Element* a;
  std::size_t row_stride;
  const typename Math::Element* b;
  int depth;  // Elements
  const typename Math::Element* next;
};
struct TileOutput {
  float* c;
  std::size_t stride;
  int cols;
  bool add;
};

template <int Rows, int Vectors>
inline void fetch_tile(const TileOutput& out) {
#pragma GCC unroll 6
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (std::ptrdiff_t v = 0; v < Vectors; ++v) {
      __builtin_prefetch(out.c + r * out.stride + v * kLanes, 1);
    }
  }
}

template <int Rows, int Vectors>
inline void store_tile(const Vec (&sum)[Rows][Vectors], const TileOutput& out) {
#pragma GCC unroll 6
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (std::ptrdiff_t v = 0; v < Vectors; ++v) {
      float* c = out.c + r * out.stride + v * kLanes;
      const int some = out.cols - static_cast<int>(v) * kLanes;
      store_some(c, out.add ? load_some(c, some) + sum[r][v] : sum[r][v], some);
    }
  }
}

// Interleaved: a lies in strips [depth][6], and row_stride is not read.
template <class Math, int Rows, int Vectors, bool Interleaved>
void tile(const TileInput<Math>& in, const TileOutput& out) {
  constexpr std::ptrdiff_t kWidth = std::ptrdiff_t{Vectors} * kLanes;
  fetch_tile<Rows, Vectors>(out);
  Vec sum[Rows][Vectors] = {};
  const typename Math::Element* a = in.a;
  const typename Math::Element* b = in.b;
  const typename Math::Element* next = in.next;
  const std::size_t row_stride = Interleaved ? 1 : in.row_stride;
  for (int k = 0; k < in.depth; ++k) {
    __builtin_prefetch(next, 0, 2);
    typename Math::Column column[Vectors];
#pragma GCC unroll 4
    for (std::ptrdiff_t v = 0; v < Vectors; ++v) column[v] = Math::column_at(b + v * kLanes);
#pragma GCC unroll 6
    for (int r = 0; r < Rows; ++r) {
      const auto left = Math::spread(a + r * row_stride);
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) {
        sum[r][v] = Math::multiply_add(sum[r][v], left, column[v]);
      }
    }
    b += kWidth;
    a += Interleaved ? kTileRows : 1;
    next += Interleaved ? kTileRows : kCacheLine;
  }
  store_tile<Rows, Vectors>(sum, out);
}

template <class Math, int Vectors, bool Interleaved>
void tile_of_rows(int rows, const TileInput<Math>& in, const TileOutput& out) {
  switch (rows) {
    case 1:
      return tile<Math, 1, Vectors, Interleaved>(in, out);
    case 2:
      return tile<Math, 2, Vectors, Interleaved>(in, out);
    case 3:
      return tile<Math, 3, Vectors, Interleaved>(in, out);
    case 4:
      return tile<Math, 4, Vectors, Interleaved>(in, out);
    case 5:
      return tile<Math, 5, Vectors, Interleaved>(in, out);
    default:
      return tile<Math, 6, Vectors, Interleaved>(in, out);
  }
}

template <class Math, bool Interleaved>
void any_tile(int rows, const TileInput<Math>& in, const TileOutput& out) {
  const int vectors = lanes_up(out.cols) / kLanes;
  if (vectors == kTileVectors) return tile_of_rows<Math, kTileVectors, Interleaved>(rows, in, out);
  if (vectors == 1) return tile_of_rows<Math, 1, Interleaved>(rows, in, out);
  if (kTileVectors > 2 && vectors == 2) return tile_of_rows<Math, 2, Interleaved>(rows, in, out);
  return tile_of_rows<Math, kTileVectors - 1, Interleaved>(rows, in, out);
}

// Rows [m, row_end) of c, terms [k, k + depth) in Elements; `in` has their a.
template <class Math>
void multiply_block(const Product& p, int m, int row_end, int k, TileInput<Math> in) {
  const typename Math::Element* a = in.a;
  const auto* packed = static_cast<const typename Math::Element*>(p.b);
  const std::size_t all = elements_of<Math>(p.depth);
  for (int n = 0; n < p.cols; n += kPanel) {
    const int cols = smaller(p.cols - n, kPanel);
    in.b = packed + n * all + static_cast<std::size_t>(k) * lanes_up(cols);
    // The first tiles of a panel fetch the next one, a part each.
    const bool more = n + kPanel < p.cols;
    int parts = more ? kPanel / kCacheLine : 0;
    in.next = more ? in.b + all * kPanel : in.b;
    for (int row = m; row < row_end; row += kTileRows) {
      in.a = a + (row - m) * in.row_stride;
      any_tile<Math, false>(smaller(row_end - row, kTileRows), in,
                            {p.c + row * p.c_stride + n, p.c_stride, cols, p.add || k > 0});
      in.next = --parts > 0 ? in.next + static_cast<std::size_t>(in.depth) * kCacheLine : in.b;
    }
  }
}

// a as it lies is what the tiles read.
template <class Math>
void multiply_as_it_lies(const Product& p) {
  const auto* a = static_cast<const typename Math::Rounded*>(p.a);
  const int all = elements_of<Math>(p.depth);
  for (int m = 0; m < p.rows; m += kRowBlock) {
    const int row_end = smaller(p.rows, m + kRowBlock);
    for (int k = 0; k < all; k += kDepthBlock) {
      const auto* from = a + m * p.a_stride + static_cast<std::size_t>(k) * Math::kTerms;
      multiply_block<Math>(
          p, m, row_end, k,
          {reinterpret_cast<const typename Math::Element*>(from), p.a_stride / Math::kTerms,
           nullptr, smaller(all - k, kDepthBlock), nullptr});
    }
  }
}

template <class Math>
void multiply_filled(const Product& p) {
  alignas(64) typename Math::Element block[kFilledRowBlock * kDepthBlock];
  const auto* a = static_cast<const float*>(p.a);
  const int all = elements_of<Math>(p.depth);
  for (int m = 0; m < p.rows; m += kFilledRowBlock) {
    const int row_end = smaller(p.rows, m + kFilledRowBlock);
    for (int k = 0; k < all; k += kDepthBlock) {
      const int first = k * Math::kTerms;
      const int terms = smaller(p.depth - first, kDepthBlock * Math::kTerms);
      for (int row = m; row < row_end; ++row) {
        Math::fill(terms, a + row * p.a_stride + first, block + (row - m) * kDepthBlock);
      }
      multiply_block<Math>(p, m, row_end, k,
                           {block, kDepthBlock, nullptr, smaller(all - k, kDepthBlock), nullptr});
    }
  }
}

template <class Math>
void multiply(const Product& p) {
  if (Math::kTerms == 1 || p.rounded) return multiply_as_it_lies<Math>(p);
  multiply_filled<Math>(p);
}

std::size_t outer_scratch(int rows) {
  const std::size_t strips = (rows + kTileRows - 1) / kTileRows;
  return (strips * kTileRows + kPanel) * kDepthBlock + kPad;
}

// Some depth of an outer product's operand: `depth` rows of it from its row k on.
struct DepthRange {
  int k;
  int depth;
};

// a [depth,rows] to strips [rows/6][depth][6]. In short runs of depth: neighbouring strips share
// cache lines of a, whose rows lie so far apart that few of them are kept.
template <class Math, class From>
void pack_strips(const OuterProduct& p, DepthRange range, typename Math::Element* strips) {
  constexpr int kRun = 8;
  const auto* a = static_cast<const From*>(p.a) + static_cast<std::size_t>(range.k) * p.a_stride;
  const int elements = elements_of<Math>(range.depth);
  for (int first = 0; first < range.depth; first += kRun) {
    const int end = smaller(range.depth, first + kRun);
    for (int m = 0; m < p.rows; m += kTileRows) {
      const int rows = smaller(p.rows - m, kTileRows);
      auto* to = strips + static_cast<std::size_t>(m) * elements + first / Math::kTerms * kTileRows;
      for (int k = first; k < end; k += Math::kTerms) {
        const From* from = a + k * p.a_stride + m;
        const From* second = k + 1 < range.depth ? from + p.a_stride : nullptr;
        for (int i = 0; i < Math::kTerms; ++i) __builtin_prefetch(from + (kRun + i) * p.a_stride);
        rows == kTileRows ? Math::join_strip(from, second, to) : Math::join(rows, from, second, to);
        to += kTileRows;
      }
    }
  }
}

// Columns [n, n + cols) of b to one panel.
template <class Math, class From>
void pack_panel(const OuterProduct& p, DepthRange range, int n, typename Math::Element* panel) {
  constexpr int kAhead = 8;
  const int cols = smaller(p.cols - n, kPanel);
  const int width = lanes_up(cols);
  const auto* from = static_cast<const From*>(p.b) + range.k * p.b_stride + n;
  for (int k = 0; k < range.depth; k += Math::kTerms) {
    const From* second = k + 1 < range.depth ? from + p.b_stride : nullptr;
    for (int j = 0; j < width; j += kLanes) {
      for (int i = 0; i < Math::kTerms; ++i)
        __builtin_prefetch(from + (kAhead + i) * p.b_stride + j);
      Math::join_lanes(cols - j, from + j, second == nullptr ? nullptr : second + j, panel + j);
    }
    from += Math::kTerms * p.b_stride;
    panel += width;
  }
}

template <class Math>
void multiply_outer(const OuterProduct& p) {
  using Element = typename Math::Element;
  auto* panel = reinterpret_cast<Element*>(p.scratch);
  Element* strips = panel + static_cast<std::size_t>(kPanel) * kDepthBlock;
  constexpr int kBlock = kDepthBlock * Math::kTerms;
  for (int k = 0; k < p.depth; k += kBlock) {
    const DepthRange range{k, smaller(p.depth - k, kBlock)};
    const int depth = elements_of<Math>(range.depth);
    p.a_rounded ? pack_strips<Math, typename Math::Rounded>(p, range, strips)
                : pack_strips<Math, float>(p, range, strips);
    for (int n = 0; n < p.cols; n += kPanel) {
      p.b_rounded ? pack_panel<Math, typename Math::Rounded>(p, range, n, panel)
                  : pack_panel<Math, float>(p, range, n, panel);
      for (int m = 0; m < p.rows; m += kTileRows) {
        const Element* strip = strips + static_cast<std::size_t>(m) * depth;
        any_tile<Math, true>(
            smaller(p.rows - m, kTileRows),
            {strip, 1, panel, depth, strip + static_cast<std::size_t>(kTileRows) * depth},
            {p.c + m * p.c_stride + n, p.c_stride, smaller(p.cols - n, kPanel), true});
      }
    }
  }
}

// The weight's row that is the packed row `i`; null where that is padding.
inline const float* source_row(const PackSource& s, int i) {
  const int group = i / s.group_stride;
  const int inside = i % s.group_stride;
  if (group >= s.groups || inside >= s.group_rows) return nullptr;
  const int row = (group + s.first_group) % s.groups * s.group_rows + inside;
  return s.weight + static_cast<std::size_t>(row) * s.stride;
}

// Where panel n of the packed matrix begins.
template <class Math>
typename Math::Element* panel_at(const PackSource& s, int n, void* packed) {
  const std::size_t depth = elements_of<Math>(s.depth());
  return static_cast<typename Math::Element*>(packed) + n * depth;
}

// A panel whose columns are rows of the weight. In short runs of depth, because a panel's rows lie
// a cache line or more apart.
template <class Math>
void pack_transposed(const PackSource& s, int n, int width, typename Math::Element* panel) {
  constexpr int kRun = 32;  // Elements
  constexpr int kAhead = kRun * Math::kTerms;
  const float* rows[kPanel];
  for (int j = 0; j < width; ++j) rows[j] = source_row(s, n + j);
  for (int k = 0; k < s.cols; k += kRun * Math::kTerms) {
    const int terms = smaller(s.cols - k, kRun * Math::kTerms);
    const int elements = elements_of<Math>(terms);
    for (int j = 0; j < width; ++j) {
      alignas(64) typename Math::Element run[kRun] = {};
      if (rows[j] != nullptr) {
        Math::fill(terms, rows[j] + k, run);
        for (int i = 0; i < kAhead; i += kCacheLine) __builtin_prefetch(rows[j] + k + kAhead + i);
      }
      for (std::ptrdiff_t i = 0; i < elements; ++i) panel[i * width + j] = run[i];
    }
    panel += static_cast<std::ptrdiff_t>(kRun) * width;
  }
}

// Panels whose columns are columns of the weight, row by row of it.
template <class Math>
void pack_straight(const PackSource& s, int begin, int end, void* packed) {
  for (int k = 0; k < s.depth(); k += Math::kTerms) {
    const float* from = source_row(s, k);
    const float* second = source_row(s, k + 1);
    for (int n = begin; n < end; n += kPanel) {
      const int width = lanes_up(smaller(s.width() - n, kPanel));
      auto* to =
          panel_at<Math>(s, n, packed) + static_cast<std::ptrdiff_t>(k) / Math::kTerms * width;
      for (int j = 0; j < width; j += kLanes) {
        if (from != nullptr) {
          Math::join_lanes(s.cols - n - j, from + n + j,
                           second == nullptr ? nullptr : second + n + j, to + j);
        } else {
          for (int i = 0; i < kLanes; ++i) to[j + i] = {};
        }
      }
    }
  }
}

template <class Math>
void pack(const PackSource& s, int first_panel, int last_panel, void* packed) {
  const int begin = first_panel * kPanel;
  const int end = smaller(s.width(), last_panel * kPanel);
  if (!s.transposed) return pack_straight<Math>(s, begin, end, packed);
  for (int n = begin; n < end; n += kPanel) {
    const int width = lanes_up(smaller(s.width() - n, kPanel));
    pack_transposed<Math>(s, n, width, panel_at<Math>(s, n, packed));
  }
}

// `Vectors` side by side, so that much of a row is read at once: rows lie far apart.
template <class Math, int Vectors, class From>
void add_sums_of(int rows, int cols, const From* a, std::size_t stride, float* out) {
  Vec sum[Vectors] = {};
  for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < Vectors; ++v) {
      const int column = v * kLanes;
      sum[v] += Math::widen(cols - column, a + r * stride + column);
    }
  }
  for (int v = 0; v < Vectors; ++v) {
    const int column = v * kLanes;
    store_some(out + column, load_some(out + column, cols - column) + sum[v], cols - column);
  }
}

template <class Math, class From>
void add_column_sums(int rows, int cols, const From* a, std::size_t stride, float* out) {
  constexpr int kWide = 16;
  int n = 0;
  for (; n + kWide * kLanes <= cols; n += kWide * kLanes) {
    add_sums_of<Math, kWide>(rows, kWide * kLanes, a + n, stride, out + n);
  }
  for (; n < cols; n += kLanes) {
    add_sums_of<Math, 1>(rows, smaller(cols - n, kLanes), a + n, stride, out + n);
  }
}

template <class Math>
void add_rounded_column_sums(int rows, int cols, const void* a, std::size_t stride, float* out) {
  add_column_sums<Math>(rows, cols, static_cast<const typename Math::Rounded*>(a), stride, out);
}

template <class Math>
void add_rounded(int count, const void* from, float* to) {
  const auto* a = static_cast<const typename Math::Rounded*>(from);
  for (int i = 0; i < count; i += kLanes) {
    const int some = count - i;
    store_some(to + i, load_some(to + i, some) + Math::widen(some, a + i), some);
  }
}

}  // namespace
}  // namespace traind::cpu
