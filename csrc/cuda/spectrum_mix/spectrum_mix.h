// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// spectrum_mix: the amplitude of one thing with the phase of another, clipped, normalized, rounded, stored.
// x [N, C, H, W] u8 or f32 -> y [F, N, C, H, W] f32, f16 or bf16
// Phase swap of a pair of 224x224x3 to bf16: 0.6 MB read and written, 0.2 us at 3.0 TB/s; 60 sweeps of 196 KB through
// shared memory, 0.7 us on 132 multiprocessors, so that bounds it.
//
// A block has a channel of an image at a time. Of two images the other one comes first, and its spectrum waits in the
// workspace, a place for each block, which stays in the second cache.
#pragma once

#include "block/sum.h"
#include "images/images.h"
#include "spectrum_mix/methods.h"
#include "spectrum_mix/plane.h"

namespace visionbias {

struct SpectrumMixArguments {
  Images x, other;     // [N, C, H, W]; the second for methods that read two
  Stimuli y;           // [1, F, N, C, H, W]
  const float* given;  // [H, W / 2 + 1] at each image and channel, or null
  long long given_n, given_c;
  PlaneTables tables;
  Complex* workspace;         // [blocks, 1 or 2, H W / 2]
  const float *scale, *shift;  // [C]
  int32_t planes, channels;    // N C, C
  float floor, factor;         // part of an image's power up to which a bin has no phase; what results are scaled by
};

struct SpectrumMixRegisters {
  float partial, floor, other_floor;
  double total;
};

template <class Method, class Rows, class Columns, int kPanels>
struct SpectrumMix {
  using Arguments = SpectrumMixArguments;
  using Registers = SpectrumMixRegisters;

  static constexpr int kThreads = VISIONBIAS_THREADS, kTogether = 512 / kThreads;
  using Transform = PlaneTransform<Rows, Columns, kPanels, kThreads>;
  static constexpr int kHeight = Columns::kLength, kWidth = Rows::kLength, kHalfPlane = kHeight * kWidth / 2;
  static constexpr int kSumOffset = Transform::kBytes, kSharedBytes = kSumOffset + kSumBytes;
  static constexpr int kWorkspaces = (Method::kReads > 1) + (kPanels > 1);
  static_assert(kSharedBytes <= VISIONBIAS_SHARED, "the caller gives too little memory");

  // Rows of one channel, and the floor under its powers.
  template <class Block, class Plane>
  static VISIONBIAS_HD void read(Block& block, const Arguments& a, const Plane& plane, const Images& x, int n, int c) {
    block.phase([&](int, Registers& own) { own.partial = 0.0f; });
    const long long at = n * x.n + c * x.c;
    Transform::transform_rows(block, a.tables, plane, [&](int pair, int column, Registers& own) -> Complex {
      const long long upper = at + 2ll * pair * x.h + column * x.w;
      const Complex both = {x.pixel(upper), x.pixel(upper + x.h)};
      own.partial += power_of(both);
      return both;
    });
    if constexpr (Method::kFloor) sum_partials<kThreads, Registers>(block, kSumOffset);
  }

  static VISIONBIAS_HD float floor_of(const Arguments& a, const Registers& own) {
    constexpr float kFaintest = 1e-20f;  // a power below is next to what float32 does not hold
    return fmaxf(static_cast<float>(own.total) * a.floor, kFaintest);
  }

  template <class Block, class Plane>
  static VISIONBIAS_HD void write(Block& block, const Arguments& a, const Plane& plane, int direction, int n, int c) {
    const long long at = direction * a.y.f + n * a.y.n + c * a.y.c;
    const float scale = a.scale[c], shift = a.shift[c];
    Transform::invert_rows(block, a.tables, plane, [&](int pair, int column, Complex both) {
      const long long upper = at + 2ll * pair * a.y.h + column * a.y.w;
      store(a.y, upper, fminf(fmaxf(both.re, 0.0f), 1.0f) * scale + shift);
      store(a.y, upper + a.y.h, fminf(fmaxf(both.im, 0.0f), 1.0f) * scale + shift);
    });
  }

  // A column that holds the frequencies kx = 0 as its real, kx = W / 2 as its imaginary part.
  struct Shared {
    Complex zero, middle;

    static VISIONBIAS_HD Shared split(Complex z, Complex mirror) {  // of ky and -ky
      return {(z + conjugate(mirror)) * 0.5f, times_minus_i(z - conjugate(mirror)) * 0.5f};
    }
    VISIONBIAS_HD Complex at_ky() const { return {zero.re - middle.im, zero.im + middle.re}; }
    VISIONBIAS_HD Complex at_mirror() const { return {zero.re + middle.im, middle.re - zero.im}; }
  };

  static VISIONBIAS_HD Mixed mixed(const Arguments& a, const Registers& own, int n, int c, int ky, int kx, Complex f,
                                   Complex g) {
    Bin bin{ky, kx, 0.0f, own.floor};
    if (Method::kGiven) bin.given = a.given[n * a.given_n + c * a.given_c + ky * (kWidth / 2 + 1) + kx];
    const Mixed result = Method::mix(f, g, bin, own.other_floor);
    return {result.own * a.factor, result.other * a.factor};
  }

  // The spectrum of the image in a panel of columns, mixed; `others` is that of the other one.
  template <class Block, class Others>
  static VISIONBIAS_HD void mix(Block& block, const Arguments& a, const Others& others, int first, int columns, int n,
                                int c) {
    const auto numbers = Transform::numbers_of(block);
    constexpr bool kTwo = Method::kReads > 1, kBoth = Method::kMakes > 1;
    block.phase([&](int thread, Registers& own) {
      VISIONBIAS_ROLLED for (int i = thread; i < columns * kHeight; i += kThreads) {
        const int place = i / columns, column = i % columns, kx = a.tables.columns[first + column].frequency;
        if (kx == 0) continue;
        const auto line = Transform::column(numbers, a.tables, first, column);
        const int far = place * (kWidth / 2) + first + column, ky = Columns::frequency(place);
        const Mixed bins = mixed(a, own, n, c, ky, kx, line.get(place), kTwo ? others.get(far) : Complex{});
        line.set(place, bins.own);
        if (kBoth) others.set(far, bins.other);
      }
      if (first > 0) return;
      const auto line = Transform::column(numbers, a.tables, 0, 0);
      VISIONBIAS_ROLLED for (int ky = thread; ky <= kHeight / 2; ky += kThreads) {
        const int place = Columns::place(ky), mirror = Columns::place(ky == 0 ? 0 : kHeight - ky);
        const int far = place * (kWidth / 2), far_mirror = mirror * (kWidth / 2);
        const Shared f = Shared::split(line.get(place), line.get(mirror));
        Shared g{};
        if (kTwo) g = Shared::split(others.get(far), others.get(far_mirror));
        const Mixed zero = mixed(a, own, n, c, ky, 0, f.zero, g.zero);
        const Mixed middle = mixed(a, own, n, c, ky, kWidth / 2, f.middle, g.middle);
        const Shared mine{zero.own, middle.own}, theirs{zero.other, middle.other};
        line.set(place, mine.at_ky());
        if (mirror != place) line.set(mirror, mine.at_mirror());
        if (!kBoth) continue;
        others.set(far, theirs.at_ky());
        if (mirror != place) others.set(far_mirror, theirs.at_mirror());
      }
    });
  }

  template <class Block>
  using PanelLine = typename Transform::template PanelLine<Block>;

  // Between a panel of columns and their place in the workspace.
  template <class Block, class One>
  static VISIONBIAS_HD void over_panel(Block& block, const Arguments& a, int first, int columns, One one) {
    const auto numbers = Transform::numbers_of(block);
    block.phase([&](int thread, Registers&) {
      VISIONBIAS_ROLLED for (int i = thread; i < columns * kHeight; i += kThreads) {
        const int place = i / columns, column = i % columns;
        one(Transform::column(numbers, a.tables, first, column), place, place * (kWidth / 2) + first + column);
      }
    });
  }

  template <class Block>
  static VISIONBIAS_HD void body(Block& block, const Arguments& a) {
    Complex* memory = a.workspace + static_cast<long long>(block.index()) * kWorkspaces * kHalfPlane;
    const auto plane = block.workspace(memory, kHalfPlane);  // of more than one panel
    const auto others = block.workspace(memory + (Method::kReads > 1 && kPanels > 1) * kHalfPlane, kHalfPlane);
    for (int i = block.index(); i < a.planes; i += block.count()) {
      const int n = i / a.channels, c = i % a.channels;
      if constexpr (Method::kReads > 1) {
        read(block, a, plane, a.other, n, c);
        block.phase([&](int, Registers& own) { own.other_floor = floor_of(a, own); });
        Transform::columns(block, a.tables, plane, true, false, [&](int first, int columns) {
          over_panel(block, a, first, columns,
                     [&](PanelLine<Block> line, int place, int far) { others.set(far, line.get(place)); });
        });
      }
      read(block, a, plane, a.x, n, c);
      block.phase([&](int, Registers& own) { own.floor = floor_of(a, own); });
      Transform::columns(block, a.tables, plane, true, true,
                         [&](int first, int columns) { mix(block, a, others, first, columns, n, c); });
      write(block, a, plane, 0, n, c);
      if constexpr (Method::kMakes > 1) {
        Transform::columns(block, a.tables, plane, false, true, [&](int first, int columns) {
          over_panel(block, a, first, columns,
                     [&](PanelLine<Block> line, int place, int far) { line.set(place, others.get(far)); });
        });
        write(block, a, plane, 1, n, c);
      }
    }
  }
};

}  // namespace visionbias
