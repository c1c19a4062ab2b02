// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// The pool that spreads images over threads.
#pragma once

#include <cstddef>
#include <functional>

namespace visionbias {

// Calls work(i) for every i in [0, n), on at most `threads` threads of which the caller is one, and returns when all
// are done and the caller sees what they have written, streaming stores included. The threads stay for the next call;
// calls may come from several threads at once, and after a fork. Where the system gives no more threads, fewer do the
// work. The first exception that `work` throws is thrown again.
void over_images(std::ptrdiff_t n, int threads, const std::function<void(std::ptrdiff_t)>& work);

}  // namespace visionbias
