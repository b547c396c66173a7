// Whether files were replaced.
#ifndef MRE_SERVER_DOOR_FILE_WATCH_H_
#define MRE_SERVER_DOOR_FILE_WATCH_H_

#include <string>
#include <vector>

#include "model/base/file_stamp.h"

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
  std::vector<FileStamp> Stamps() const;

  const std::vector<std::string> paths_;
  std::vector<FileStamp> stamps_;
};

}  // namespace mre

#endif  // MRE_SERVER_DOOR_FILE_WATCH_H_
