// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// The rows of an image as the kernels walk them: in the order of the output, in whole registers.
#pragma once

#include <algorithm>
#include <cstddef>

#include "images/images.h"
#include "simd/most_lanes.h"

namespace visionbias {

// A row is one segment of W x C numbers for channels_last images, and C segments of W numbers for others. Zeros fill a
// segment to a multiple of kMostLanes numbers, and the row to one of twice as many, so that each number has a partner
// kMostLanes before or behind it, the same on all targets.
struct RowOrder {
  std::ptrdiff_t segments, length;          // numbers of the image in a segment
  std::ptrdiff_t channel_step, pixel_step;  // from a number to that of the next channel, of the next pixel
  std::ptrdiff_t segment_pitch, row_pitch;  // from one to the next, with the zeros

  RowOrder(Size image, bool channels_last)
      : segments(channels_last ? 1 : image.c),
        length(channels_last ? image.w * image.c : image.w),
        channel_step(channels_last ? 1 : whole(length, kMostLanes)),
        pixel_step(channels_last ? image.c : 1),
        segment_pitch(whole(length, kMostLanes)),
        row_pitch(whole(segments * segment_pitch, 2 * kMostLanes)) {}

  // Where a row holds the pixel x of channel c.
  std::ptrdiff_t index(std::ptrdiff_t c, std::ptrdiff_t x) const { return c * channel_step + x * pixel_step; }

  template <class T>
  void zero_padding(T* row) const {
    for (std::ptrdiff_t s = 0; s < segments; ++s) {
      std::fill(row + s * segment_pitch + length, row + (s + 1) * segment_pitch, T{});
    }
    std::fill(row + segments * segment_pitch, row + row_pitch, T{});
  }

 private:
  static std::ptrdiff_t whole(std::ptrdiff_t numbers, std::ptrdiff_t group) {
    return (numbers + group - 1) / group * group;
  }
};

}  // namespace visionbias
