// Matrix products from packed panels: a tile of 6 rows by one panel stays in registers for the
// whole inner loop. Included by kernels_*.cc only, once per instruction set.
//
// The order of additions for an element: blocks of `depth` in turn, each summed from its first to
// its last term, then added to what was there. It depends on nothing but the depth.
#pragma once

#include "model/backend/cpu/kernels/kernels.h"
#include "model/backend/cpu/kernels/simd.h"

namespace traind::cpu {
namespace {

constexpr int kDepthBlock = 512;
constexpr int kRowBlock = 192;

inline int smaller(int a, int b) { return a < b ? a : b; }
inline int lanes_up(int n) { return (n + kLanes - 1) / kLanes * kLanes; }

// Where a tile reads a: element (row, k) lies at row * row_stride + k * depth_stride.
struct TileInput {
  const float* a;
  std::size_t row_stride;
  std::size_t depth_stride;
  const float* b;
  int depth;
};
struct TileOutput {
  float* c;
  std::size_t stride;
  int cols;
  bool add;
};

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

template <int Rows, int Vectors, bool Interleaved>
void tile(const TileInput& in, const TileOutput& out) {
  constexpr std::ptrdiff_t kWidth = std::ptrdiff_t{Vectors} * kLanes;
  Vec sum[Rows][Vectors] = {};
  const float* a = in.a;
  const float* b = in.b;
  const std::size_t row_stride = Interleaved ? 1 : in.row_stride;
  for (int k = 0; k < in.depth; ++k) {
    Vec column[Vectors];
#pragma GCC unroll 4
    for (std::ptrdiff_t v = 0; v < Vectors; ++v) {
      column[v] = load(b + v * kLanes);
      __builtin_prefetch(b + 8 * kWidth + v * kLanes);
    }
#pragma GCC unroll 6
    for (int r = 0; r < Rows; ++r) {
      const Vec left = broadcast(a[r * row_stride]);
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) sum[r][v] += left * column[v];
    }
    b += kWidth;
    a += Interleaved ? kTileRows : 1;
  }
  store_tile<Rows, Vectors>(sum, out);
}

template <int Vectors, bool Interleaved>
void tile_of_rows(int rows, const TileInput& in, const TileOutput& out) {
  switch (rows) {
    case 1:
      return tile<1, Vectors, Interleaved>(in, out);
    case 2:
      return tile<2, Vectors, Interleaved>(in, out);
    case 3:
      return tile<3, Vectors, Interleaved>(in, out);
    case 4:
      return tile<4, Vectors, Interleaved>(in, out);
    case 5:
      return tile<5, Vectors, Interleaved>(in, out);
    default:
      return tile<6, Vectors, Interleaved>(in, out);
  }
}

template <bool Interleaved>
void any_tile(int rows, const TileInput& in, const TileOutput& out) {
  const int vectors = lanes_up(out.cols) / kLanes;
  if (vectors == kTileVectors) return tile_of_rows<kTileVectors, Interleaved>(rows, in, out);
  if (vectors == 1) return tile_of_rows<1, Interleaved>(rows, in, out);
  if (kTileVectors > 2 && vectors == 2) return tile_of_rows<2, Interleaved>(rows, in, out);
  return tile_of_rows<kTileVectors - 1, Interleaved>(rows, in, out);
}

void multiply(const Product& p) {
  for (int m = 0; m < p.rows; m += kRowBlock) {
    const int row_end = smaller(p.rows, m + kRowBlock);
    for (int k = 0; k < p.depth; k += kDepthBlock) {
      const int depth = smaller(p.depth - k, kDepthBlock);
      for (int n = 0; n < p.cols; n += kPanel) {
        const int cols = smaller(p.cols - n, kPanel);
        const float* b = p.b + static_cast<std::size_t>(n) * p.depth +
                         static_cast<std::size_t>(k) * lanes_up(cols);
        for (int row = m; row < row_end; row += kTileRows) {
          any_tile<false>(smaller(row_end - row, kTileRows),
                          {p.a + row * p.a_stride + k, p.a_stride, 1, b, depth},
                          {p.c + row * p.c_stride + n, p.c_stride, cols, p.add || k > 0});
        }
      }
    }
  }
}

std::size_t outer_scratch(int rows) {
  const std::size_t strips = (rows + kTileRows - 1) / kTileRows;
  return (strips * kTileRows + kPanel) * kDepthBlock + kPad;
}

// a [depth,rows] to strips [rows/6][depth][6].
inline void pack_strips(const OuterProduct& p, int k, int depth, float* strips) {
  for (int m = 0; m < p.rows; m += kTileRows) {
    const int rows = smaller(p.rows - m, kTileRows);
    const float* from = p.a + static_cast<std::size_t>(k) * p.a_stride + m;
    float* to = strips + static_cast<std::size_t>(m) * depth;
    for (int i = 0; i < depth; ++i) {
      for (int r = 0; r < rows; ++r) to[r] = from[r];
      from += p.a_stride;
      to += kTileRows;
    }
  }
}

// Columns [n, n + cols) of b to one panel.
inline void pack_panel(const OuterProduct& p, int k, int depth, int n, int cols, float* panel) {
  const int width = lanes_up(cols);
  const float* from = p.b + static_cast<std::size_t>(k) * p.b_stride + n;
  for (int i = 0; i < depth; ++i) {
    for (int j = 0; j < width; j += kLanes) store(panel + j, load_some(from + j, cols - j));
    from += p.b_stride;
    panel += width;
  }
}

void multiply_outer(const OuterProduct& p) {
  float* panel = p.scratch;
  float* strips = p.scratch + static_cast<std::size_t>(kPanel) * kDepthBlock;
  for (int k = 0; k < p.depth; k += kDepthBlock) {
    const int depth = smaller(p.depth - k, kDepthBlock);
    pack_strips(p, k, depth, strips);
    for (int n = 0; n < p.cols; n += kPanel) {
      const int cols = smaller(p.cols - n, kPanel);
      pack_panel(p, k, depth, n, cols, panel);
      for (int m = 0; m < p.rows; m += kTileRows) {
        any_tile<true>(smaller(p.rows - m, kTileRows),
                       {strips + static_cast<std::size_t>(m) * depth, 1, kTileRows, panel, depth},
                       {p.c + m * p.c_stride + n, p.c_stride, cols, true});
      }
    }
  }
}

// One column of a panel, contiguous in the weight because the panel is transposed.
inline void pack_transposed_column(const PackSource& s, int n, int width, float* to) {
  const int group = n / s.group_stride;
  const int inside = n % s.group_stride;
  const bool real = group < s.groups && inside < s.group_rows;
  const float* from =
      real ? s.weight + (static_cast<std::size_t>(group) * s.group_rows + inside) * s.stride
           : nullptr;
  for (int k = 0; k < s.cols; ++k) to[static_cast<std::size_t>(k) * width] = real ? from[k] : 0;
}

void pack(const PackSource& s, int first_panel, int last_panel, float* packed) {
  const int depth = s.depth();
  for (int n = first_panel * kPanel; n < smaller(s.width(), last_panel * kPanel); n += kPanel) {
    const int cols = smaller(s.width() - n, kPanel);
    const int width = lanes_up(cols);
    float* panel = packed + static_cast<std::size_t>(n) * depth;
    if (s.transposed) {
      for (int j = 0; j < width; ++j) pack_transposed_column(s, n + j, width, panel + j);
      continue;
    }
    for (int k = 0; k < depth; ++k) {
      float* to = panel + static_cast<std::size_t>(k) * width;
      if (k % s.group_stride >= s.group_rows) {
        for (int j = 0; j < width; ++j) to[j] = 0;
        continue;
      }
      const std::size_t row =
          static_cast<std::size_t>(k / s.group_stride) * s.group_rows + k % s.group_stride;
      const float* from = s.weight + row * s.stride + n;
      for (int j = 0; j < width; j += kLanes) store(to + j, load_some(from + j, cols - j));
    }
  }
}

void add_column_sums(int rows, int cols, const float* a, std::size_t stride, float* out) {
  for (int n = 0; n < cols; n += kPanel) {
    const int vectors = lanes_up(smaller(cols - n, kPanel)) / kLanes;
    Vec sum[kTileVectors] = {};
    for (int r = 0; r < rows; ++r) {
      for (int v = 0; v < vectors; ++v) {
        const int column = n + v * kLanes;
        sum[v] += load_some(a + r * stride + column, cols - column);
      }
    }
    for (int v = 0; v < vectors; ++v) {
      const int column = n + v * kLanes;
      store_some(out + column, load_some(out + column, cols - column) + sum[v], cols - column);
    }
  }
}

}  // namespace
}  // namespace traind::cpu
