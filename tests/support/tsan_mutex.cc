// Tells the thread sanitizer about absl::Mutex. Debian's abseil is compiled
// without it, so that every use of a lock would look like a race. The functions
// here replace the library's (gRPC calls them too), announce what each orders,
// and call the original. Linked into the tests of the "tsan" preset only.
//
// A reader's lock counts as a writer's: too much order, so a write under a
// reader's lock is not found; that is clang's thread-safety analysis' part.

#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

extern "C" {
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
}

#define MRE_ABSL "_ZN4absl7debian3"
#define MRE_ABSL_CONST "_ZNK4absl7debian3"

namespace {

// The library evaluates other threads' conditions while it holds their lock:
// ordered, but by means that the sanitizer does not see.
class IgnoreAccesses {
 public:
  IgnoreAccesses() {
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
  }
  ~IgnoreAccesses() {
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
  }
};

template <typename Result, typename... Args>
Result Original(const char* name, Args... args) {
  IgnoreAccesses ignore;
  void* found = dlsym(RTLD_NEXT, name);
  return reinterpret_cast<Result (*)(Args...)>(found)(args...);
}

void Acquire(const void* at) { __tsan_acquire(const_cast<void*>(at)); }
void Release(const void* at) { __tsan_release(const_cast<void*>(at)); }

}  // namespace

namespace absl {
ABSL_NAMESPACE_BEGIN

void Mutex::Lock() {
  Original<void, Mutex*>(MRE_ABSL "5Mutex4LockEv", this);
  Acquire(this);
}

void Mutex::Unlock() {
  Release(this);
  Original<void, Mutex*>(MRE_ABSL "5Mutex6UnlockEv", this);
}

bool Mutex::TryLock() {
  const bool locked = Original<bool, Mutex*>(MRE_ABSL "5Mutex7TryLockEv", this);
  if (locked) Acquire(this);
  return locked;
}

void Mutex::ReaderLock() {
  Original<void, Mutex*>(MRE_ABSL "5Mutex10ReaderLockEv", this);
  Acquire(this);
}

void Mutex::ReaderUnlock() {
  Release(this);
  Original<void, Mutex*>(MRE_ABSL "5Mutex12ReaderUnlockEv", this);
}

void Mutex::Await(const Condition& condition) {
  Release(this);
  Original<void, Mutex*, const Condition&>(
      MRE_ABSL "5Mutex5AwaitERKNS0_9ConditionE", this, condition);
  Acquire(this);
}

bool Mutex::AwaitWithTimeout(const Condition& condition, Duration timeout) {
  Release(this);
  const bool held = Original<bool, Mutex*, const Condition&, Duration>(
      MRE_ABSL "5Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE", this,
      condition, timeout);
  Acquire(this);
  return held;
}

bool Mutex::AwaitWithDeadline(const Condition& condition, Time deadline) {
  Release(this);
  const bool held = Original<bool, Mutex*, const Condition&, Time>(
      MRE_ABSL "5Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE", this,
      condition, deadline);
  Acquire(this);
  return held;
}

void Mutex::LockWhen(const Condition& condition) {
  Release(this);  // The condition itself is handed to other threads.
  Original<void, Mutex*, const Condition&>(
      MRE_ABSL "5Mutex8LockWhenERKNS0_9ConditionE", this, condition);
  Acquire(this);
}

void CondVar::Wait(Mutex* mutex) {
  Release(mutex);
  Original<void, CondVar*, Mutex*>(MRE_ABSL "7CondVar4WaitEPNS0_5MutexE", this,
                                   mutex);
  Acquire(mutex);
}

bool CondVar::WaitWithTimeout(Mutex* mutex, Duration timeout) {
  Release(mutex);
  const bool timed_out = Original<bool, CondVar*, Mutex*, Duration>(
      MRE_ABSL "7CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE", this,
      mutex, timeout);
  Acquire(mutex);
  return timed_out;
}

bool CondVar::WaitWithDeadline(Mutex* mutex, Time deadline) {
  Release(mutex);
  const bool timed_out = Original<bool, CondVar*, Mutex*, Time>(
      MRE_ABSL "7CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE", this, mutex,
      deadline);
  Acquire(mutex);
  return timed_out;
}

void Notification::Notify() {
  Release(this);
  Original<void, Notification*>(MRE_ABSL "12Notification6NotifyEv", this);
}

void Notification::WaitForNotification() const {
  Original<void, const Notification*>(
      MRE_ABSL_CONST "12Notification19WaitForNotificationEv", this);
  Acquire(this);
}

bool Notification::WaitForNotificationWithTimeout(Duration timeout) const {
  const bool notified = Original<bool, const Notification*, Duration>(
      MRE_ABSL_CONST
      "12Notification30WaitForNotificationWithTimeoutENS0_8DurationE",
      this, timeout);
  if (notified) Acquire(this);
  return notified;
}

ABSL_NAMESPACE_END
}  // namespace absl
