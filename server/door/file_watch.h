// Whether files were replaced, and a thread that looks now and then.
#ifndef MRE_SERVER_DOOR_FILE_WATCH_H_
#define MRE_SERVER_DOOR_FILE_WATCH_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace mre {

// Not thread-safe.
class FileWatch {
 public:
  explicit FileWatch(std::vector<std::string> paths);

  // True when a file is another than at the last call (or, at first, than when
  // this was made): replaced, written, or gone. Links are followed, as
  // Kubernetes replaces what is behind them.
  bool Changed();

 private:
  struct Stamp {
    friend bool operator==(const Stamp&, const Stamp&) = default;
    bool there = false;
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    int64_t modified_ns = 0;
    int64_t changed_ns = 0;
  };
  static Stamp StampOf(const std::string& path);
  std::vector<Stamp> Stamps() const;

  const std::vector<std::string> paths_;
  std::vector<Stamp> stamps_;
};

// Calls a function over and over, on a thread of its own, until destroyed.
class Repeat {
 public:
  Repeat(absl::Duration period, std::function<void()> what);
  Repeat(const Repeat&) = delete;
  Repeat& operator=(const Repeat&) = delete;
  ~Repeat();

 private:
  void Run();

  const absl::Duration period_;
  const std::function<void()> what_;
  absl::Mutex mu_;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace mre

#endif  // MRE_SERVER_DOOR_FILE_WATCH_H_
