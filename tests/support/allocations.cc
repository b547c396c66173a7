#include "tests/support/allocations.h"

#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <new>

namespace mre {
namespace {

// Plain data: usable before and after the life of any object.
thread_local bool recording;
thread_local Allocations recorded;
thread_local long long alive;

void* Allocate(size_t size) {
  void* data = std::malloc(size);
  if (data == nullptr) std::abort();
  if (recording) {
    recorded.largest = std::max(recorded.largest, size);
    alive += static_cast<long long>(malloc_usable_size(data));
    if (alive > 0) {
      recorded.peak = std::max(recorded.peak, static_cast<size_t>(alive));
    }
  }
  return data;
}

void Free(void* data) {
  if (recording && data != nullptr) {
    alive -= static_cast<long long>(malloc_usable_size(data));
  }
  std::free(data);
}

}  // namespace

void StartRecording() {
  recorded = Allocations();
  alive = 0;
  recording = true;
}

Allocations StopRecording() {
  recording = false;
  return recorded;
}

}  // namespace mre

void* operator new(size_t size) { return mre::Allocate(size); }
void* operator new[](size_t size) { return mre::Allocate(size); }
void operator delete(void* data) noexcept { mre::Free(data); }
void operator delete[](void* data) noexcept { mre::Free(data); }
void operator delete(void* data, size_t) noexcept { mre::Free(data); }
void operator delete[](void* data, size_t) noexcept { mre::Free(data); }
