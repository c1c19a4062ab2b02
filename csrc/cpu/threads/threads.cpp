// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
#include "threads/threads.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

#include "simd/target.h"

#if defined(_WIN32)
#include <process.h>
#define VISIONBIAS_PROCESS _getpid()
#else
#include <unistd.h>
#define VISIONBIAS_PROCESS getpid()
#endif

namespace visionbias {
namespace {

// The images of one call. Whoever has time takes the next one.
class Job {
 public:
  Job(std::ptrdiff_t n, const std::function<void(std::ptrdiff_t)>& work) : n_(n), work_(work) {}

  void take_part() {
    for (std::ptrdiff_t i = next_++; i < n_; i = next_++) {
      try {
        work_(i);
      } catch (...) {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (!error_) error_ = std::current_exception();
        next_ = n_;
      }
    }
    // Streaming stores are not ordered by the release of a mutex or an atomic, as C++ has them.
#if VISIONBIAS_X86
    _mm_sfence();
#endif
  }

  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  const std::ptrdiff_t n_;
  const std::function<void(std::ptrdiff_t)>& work_;
  std::atomic<std::ptrdiff_t> next_{0};
  std::mutex mutex_;
  std::exception_ptr error_;
};

class Pool {
 public:
  void run(Job& job, std::ptrdiff_t helpers) {
    Call call{&job, helpers, 0};
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      grow(helpers);
      calls_.push_back(&call);
    }
    wake_.notify_all();
    job.take_part();
    std::unique_lock<std::mutex> lock(mutex_);
    calls_.erase(std::find(calls_.begin(), calls_.end(), &call));
    left_.wait(lock, [&] { return call.inside == 0; });
  }

 private:
  struct Call {
    Job* job;
    std::ptrdiff_t wanted;  // helpers that may still join
    std::ptrdiff_t inside;  // helpers at work
  };

  void grow(std::ptrdiff_t helpers) {
    try {
      while (threads_ < helpers) {
        std::thread([this] { serve(); }).detach();
        ++threads_;
      }
    } catch (const std::system_error&) {
      // The system has no more: those that exist, and the caller, do the work.
    }
  }

  [[noreturn]] void serve() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      Call* call = nullptr;
      wake_.wait(lock, [&] {
        const auto found = std::find_if(calls_.begin(), calls_.end(), [](Call* c) { return c->wanted > 0; });
        call = found == calls_.end() ? nullptr : *found;
        return call != nullptr;
      });
      --call->wanted;
      ++call->inside;
      lock.unlock();
      call->job->take_part();
      lock.lock();
      if (--call->inside == 0) left_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, left_;
  std::deque<Call*> calls_;
  std::ptrdiff_t threads_ = 0;
};

// Never destroyed: its threads live as long as the process. A forked child has none of them, and gets its own pool.
struct ProcessPool {
  int process;
  Pool pool;
};

Pool& pool() {
  static std::atomic<ProcessPool*> current{nullptr};
  const int process = static_cast<int>(VISIONBIAS_PROCESS);
  ProcessPool* found = current.load();
  while (found == nullptr || found->process != process) {
    auto fresh = std::make_unique<ProcessPool>();
    fresh->process = process;
    if (current.compare_exchange_strong(found, fresh.get())) found = fresh.release();
  }
  return found->pool;
}

}  // namespace

void over_images(std::ptrdiff_t n, int threads, const std::function<void(std::ptrdiff_t)>& work) {
  Job job(n, work);
  const std::ptrdiff_t helpers = std::min<std::ptrdiff_t>(threads, n) - 1;
  if (helpers > 0) {
    pool().run(job, helpers);
  } else {
    job.take_part();
  }
  job.rethrow();
}

}  // namespace visionbias
