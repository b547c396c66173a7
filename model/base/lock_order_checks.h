// Whether Abseil checks, at every lock of a mutex, that no thread takes locks
// in another order than before.
#ifndef MRE_MODEL_BASE_LOCK_ORDER_CHECKS_H_
#define MRE_MODEL_BASE_LOCK_ORDER_CHECKS_H_

namespace mre {

// Turns them off, but for the address sanitizer's build, where they stay to
// find mistakes. Debian builds Abseil with them, for whoever links it: one
// graph of all mutexes of the process behind one lock, in which a server with
// thousands of open calls spends a large part of its time. For main(), before
// any other thread runs.
void TurnOffLockOrderChecks();

}  // namespace mre

#endif  // MRE_MODEL_BASE_LOCK_ORDER_CHECKS_H_
