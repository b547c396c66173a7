// Waits for what other threads bring about.
#ifndef MRE_TESTS_SUPPORT_AWAIT_TRUE_H_
#define MRE_TESTS_SUPPORT_AWAIT_TRUE_H_

#include <chrono>
#include <thread>

#include "absl/functional/function_ref.h"
#include "gtest/gtest.h"

namespace mre {

// Until the condition holds. If it does not within half a minute the test has
// failed, and goes on.
inline void AwaitTrue(absl::FunctionRef<bool()> condition) {
  const auto limit =
      std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > limit) {
      ADD_FAILURE() << "what was waited for has not come";
      return;
    }
    std::this_thread::yield();
  }
}

}  // namespace mre

#endif  // MRE_TESTS_SUPPORT_AWAIT_TRUE_H_
