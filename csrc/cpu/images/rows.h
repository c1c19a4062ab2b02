// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// The rows of an image as the kernels walk them: in the order of the output, in whole registers.
#pragma once

#include <algorithm>
#include <cstddef>

#include "images/images.h"

namespace visionbias {

// A row is one segment of W x C numbers for channels_last images, and C segments of W numbers for others. Zeros fill a
// segment to a multiple of kHalfGroup numbers, and the row to one of two half groups. The registers of every target
// divide a half group, so each place of a row has the same partner on all of them.
struct RowOrder {
  static constexpr std::ptrdiff_t kHalfGroup = 16;

  bool channels_last;
  std::ptrdiff_t segments, length;  // numbers of the image in a segment
  std::ptrdiff_t padded;            // a segment with its zeros
  std::ptrdiff_t size;              // a row with its zeros

  RowOrder(Size image, bool channels_last)
      : channels_last(channels_last),
        segments(channels_last ? 1 : image.c),
        length(channels_last ? image.w * image.c : image.w),
        padded((length + kHalfGroup - 1) / kHalfGroup * kHalfGroup),
        size((segments * padded + 2 * kHalfGroup - 1) / (2 * kHalfGroup) * (2 * kHalfGroup)) {}

  // Where a row holds the pixel x of channel c.
  std::ptrdiff_t place(std::ptrdiff_t c, std::ptrdiff_t x, std::ptrdiff_t channels) const {
    return channels_last ? x * channels + c : c * padded + x;
  }

  template <class T>
  void zero_padding(T* row) const {
    for (std::ptrdiff_t s = 0; s < segments; ++s) std::fill(row + s * padded + length, row + (s + 1) * padded, T{});
    std::fill(row + segments * padded, row + size, T{});
  }
};

}  // namespace visionbias
