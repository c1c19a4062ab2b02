// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// The two-dimensional real transform of one channel of an image, in place in a block's shared memory, and back.
//
// Two rows make one complex row. Of its spectrum the frequencies k and -k are turned into those of the two rows, where
// they are: the place of k takes the upper row's, that of -k the lower row's. So a column of the half plane is in two
// columns of places, its even rows in one and its odd rows in the other. The frequencies 0 and W / 2, of which rows
// have real parts only, share a column: one is its real, the other its imaginary part. H x W real numbers become as
// many, with no second copy: 224 x 224 are 196 KB, and 8 bytes a row pair keep columns apart in the banks.
// Where a block has less memory, the plane is taken in panels, of rows and then of columns, through a workspace that
// stays in the second cache.
#pragma once

#include "fft/passes.h"

namespace visionbias {

struct ColumnPair {
  int32_t even, odd, frequency;  // places of the even and of the odd rows, kx
};

struct PlaneTables {
  const Complex *row_turns, *column_turns;  // [W], [H]
  const ColumnPair* columns;                // [W / 2], in the order of their even places
};

template <class Rows, class Columns, int kPanels, int kThreads>
struct PlaneTransform {
  static constexpr int kHeight = Columns::kLength, kWidth = Rows::kLength;
  static constexpr int kRowPairs = kHeight / 2, kColumnPairs = kWidth / 2;
  static constexpr int kPanelRows = (kRowPairs + kPanels - 1) / kPanels;
  static constexpr int kPanelColumns = (kColumnPairs + kPanels - 1) / kPanels;
  static constexpr int kPitch = kWidth + 1;  // odd, so that neighbors in a column lie in different banks
  static constexpr int kPanelRowNumbers = kPanelRows * kPitch, kPanelColumnNumbers = kRowPairs * 2 * kPanelColumns;
  static constexpr int kNumbers =
      kPanels > 1 && kPanelColumnNumbers > kPanelRowNumbers ? kPanelColumnNumbers : kPanelRowNumbers;
  static constexpr int kBytes = kNumbers * static_cast<int>(sizeof(Complex));
  static_assert(kHeight % 2 == 0 && kWidth % 2 == 0, "rows and frequencies come in pairs");

  template <class Numbers>
  struct Line {  // of a panel: a row pair, or a column
    Numbers numbers;
    int even, odd, step;  // places of the numbers 0 and 1; from one pair of numbers to the next

    VISIONBIAS_HD int place(int i) const { return (i % 2 == 0 ? even : odd) + i / 2 * step; }
    VISIONBIAS_HD Complex get(int i) const { return numbers.get(place(i)); }
    VISIONBIAS_HD void set(int i, Complex z) const { numbers.set(place(i), z); }
  };

  template <class Block>
  using PanelLine = Line<typename Block::template Shared<Complex>>;

  template <class Block>
  static VISIONBIAS_HD auto numbers_of(Block& block) {
    return block.template shared<Complex>(0, kNumbers);
  }

  template <class Numbers>
  static VISIONBIAS_HD Line<Numbers> row_pair(const Numbers& numbers, int row) {
    return {numbers, row * kPitch, row * kPitch + 1, 2};
  }

  template <class Numbers>
  static VISIONBIAS_HD Line<Numbers> column(const Numbers& numbers, const PlaneTables& tables, int first, int c) {
    if constexpr (kPanels > 1) return {numbers, c, kPanelColumns + c, 2 * kPanelColumns};
    return {numbers, tables.columns[first + c].even, tables.columns[first + c].odd, kPitch};
  }

  static VISIONBIAS_HD int rest(int all, int first, int most) { return all - first < most ? all - first : most; }

  // Calls step(first, rows) for each panel of row pairs, step(first, columns) for each of columns.
  template <class Step>
  static VISIONBIAS_HD void over_rows(Step step) {
    for (int first = 0; first < kRowPairs; first += kPanelRows) step(first, rest(kRowPairs, first, kPanelRows));
  }
  template <class Step>
  static VISIONBIAS_HD void over_columns(Step step) {
    for (int first = 0; first < kColumnPairs; first += kPanelColumns) {
      step(first, rest(kColumnPairs, first, kPanelColumns));
    }
  }

  // `load(row pair, x, own)` gives the pixels of both rows. What it leaves is read by `columns`.
  template <class Block, class Plane, class Load>
  static VISIONBIAS_HD void transform_rows(Block& block, const PlaneTables& tables, const Plane& plane, Load load) {
    const auto numbers = numbers_of(block);
    over_rows([&](int first, int rows) {
      block.phase([&](int thread, typename Block::Registers& own) {
        VISIONBIAS_ROLLED for (int i = thread; i < rows * kWidth; i += kThreads) {
          row_pair(numbers, i / kWidth).set(i % kWidth, load(first + i / kWidth, i % kWidth, own));
        }
      });
      forward<Rows, kThreads>(block, rows, tables.row_turns, [&](int row) { return row_pair(numbers, row); });
      block.phase([&](int thread, typename Block::Registers&) {
        VISIONBIAS_ROLLED for (int i = thread; i < rows * kColumnPairs; i += kThreads) {
          const auto row = row_pair(numbers, i % rows);
          const ColumnPair pair = tables.columns[i / rows];
          const Complex z = row.get(pair.even), mirror = row.get(pair.odd);
          if (pair.frequency == 0) {
            row.set(pair.even, {z.re, mirror.re});
            row.set(pair.odd, {z.im, mirror.im});
          } else {
            row.set(pair.even, (z + conjugate(mirror)) * 0.5f);
            row.set(pair.odd, times_minus_i(z - conjugate(mirror)) * 0.5f);
          }
        }
      });
      if constexpr (kPanels > 1) {
        block.phase([&](int thread, typename Block::Registers&) {
          VISIONBIAS_ROLLED for (int i = thread; i < rows * kWidth; i += kThreads) {
            plane.set(first * kWidth + i, row_pair(numbers, i / kWidth).get(i % kWidth));
          }
        });
      }
    });
  }

  // Calls one(column, y, place) for all of a panel of columns: place in the workspace of number y of a column.
  template <class Block, class One>
  static VISIONBIAS_HD void over_places(Block& block, const PlaneTables& tables, int first, int columns, One one) {
    const auto numbers = numbers_of(block);
    block.phase([&](int thread, typename Block::Registers&) {
      VISIONBIAS_ROLLED for (int i = thread; i < columns * kHeight; i += kThreads) {
        const int c = i % columns, y = i / columns;
        const ColumnPair pair = tables.columns[first + c];
        one(column(numbers, tables, first, c), y, y / 2 * kWidth + (y % 2 == 0 ? pair.even : pair.odd));
      }
    });
  }

  // Transforms columns, a panel at a time, and calls work(first, columns) with the half plane: `column(numbers, tables,
  // first, c)` has frequency ky at the place that `Columns` says. Where `back` they go back to where they were.
  template <class Block, class Plane, class Work>
  static VISIONBIAS_HD void columns(Block& block, const PlaneTables& tables, const Plane& plane, bool there, bool back,
                                    Work work) {
    const auto numbers = numbers_of(block);
    over_columns([&](int first, int columns) {
      const auto line = [&](int c) { return column(numbers, tables, first, c); };
      if constexpr (kPanels > 1) {
        if (there) {
          over_places(block, tables, first, columns, [&](PanelLine<Block> own, int y, int place) {
            own.set(y, plane.get(place));
          });
        }
      }
      if (there) forward<Columns, kThreads>(block, columns, tables.column_turns, line);
      work(first, columns);
      if (!back) return;
      inverse<Columns, kThreads>(block, columns, tables.column_turns, line);
      if constexpr (kPanels > 1) {
        over_places(block, tables, first, columns, [&](PanelLine<Block> own, int y, int place) {
          plane.set(place, own.get(y));
        });
      }
    });
  }

  // `store(row pair, x, both)` takes the pixels of both rows, times H W.
  template <class Block, class Plane, class Store>
  static VISIONBIAS_HD void invert_rows(Block& block, const PlaneTables& tables, const Plane& plane, Store store) {
    const auto numbers = numbers_of(block);
    over_rows([&](int first, int rows) {
      if constexpr (kPanels > 1) {
        block.phase([&](int thread, typename Block::Registers&) {
          VISIONBIAS_ROLLED for (int i = thread; i < rows * kWidth; i += kThreads) {
            row_pair(numbers, i / kWidth).set(i % kWidth, plane.get(first * kWidth + i));
          }
        });
      }
      block.phase([&](int thread, typename Block::Registers&) {
        VISIONBIAS_ROLLED for (int i = thread; i < rows * kColumnPairs; i += kThreads) {
          const auto row = row_pair(numbers, i % rows);
          const ColumnPair pair = tables.columns[i / rows];
          const Complex upper = row.get(pair.even), lower = row.get(pair.odd);
          if (pair.frequency == 0) {
            row.set(pair.even, {upper.re, lower.re});
            row.set(pair.odd, {upper.im, lower.im});
          } else {
            row.set(pair.even, upper + times_minus_i(lower) * -1.0f);
            row.set(pair.odd, conjugate(upper) + times_minus_i(conjugate(lower)) * -1.0f);
          }
        }
      });
      inverse<Rows, kThreads>(block, rows, tables.row_turns, [&](int row) { return row_pair(numbers, row); });
      block.phase([&](int thread, typename Block::Registers&) {
        VISIONBIAS_ROLLED for (int i = thread; i < rows * kWidth; i += kThreads) {
          store(first + i / kWidth, i % kWidth, row_pair(numbers, i / kWidth).get(i % kWidth));
        }
      });
    });
  }
};

}  // namespace visionbias
