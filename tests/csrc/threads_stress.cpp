// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// over_images from several threads at once, with more and fewer threads than images, and with work that throws.
#include <cstdio>
#include <stdexcept>
#include <thread>
#include <vector>

#include "threads/threads.h"

namespace {

bool all_are_visited_once(std::ptrdiff_t n, int threads) {
  std::vector<int> visits(static_cast<std::size_t>(n));  // not atomic: TSan says if two threads take one image
  visionbias::over_images(n, threads, [&](std::ptrdiff_t i) { ++visits[static_cast<std::size_t>(i)]; });
  for (const int count : visits) {
    if (count != 1) return false;
  }
  return true;
}

bool the_exception_arrives(std::ptrdiff_t n, int threads) {
  try {
    visionbias::over_images(n, threads, [n](std::ptrdiff_t i) {
      if (i >= n / 2) throw std::runtime_error("image " + std::to_string(i));
    });
  } catch (const std::runtime_error& error) {
    return std::string(error.what()).rfind("image ", 0) == 0;
  }
  return n == 0;
}

}  // namespace

int main() {
  std::vector<std::thread> callers;
  std::vector<int> failures(6);
  for (int& failed : failures) {
    callers.emplace_back([&failed] {
      for (int call = 0; call < 200; ++call) {
        const std::ptrdiff_t n = call % 23;
        const int threads = 1 + call % 7;
        failed += !all_are_visited_once(n, threads) + !the_exception_arrives(n, threads);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  int failed = 0;
  for (const int count : failures) failed += count;
  if (failed) std::fprintf(stderr, "%d calls went wrong\n", failed);
  return failed != 0;
}
