// Takes what files hold whenever they are replaced.
#ifndef MRE_SERVER_DOOR_FILE_WATCH_H_
#define MRE_SERVER_DOOR_FILE_WATCH_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "model/base/file_stamp.h"

namespace mre {

// Not thread-safe.
class FileWatch {
 public:
  // `take` reads the files; an error leaves in use what was taken before.
  FileWatch(std::vector<std::string> paths, std::function<absl::Status()> take);

  // Takes the files if one is another than at the last look (or, at first, than
  // when this was made): replaced, written, or gone. Links are followed, as
  // Kubernetes replaces what is behind them. What could not be taken is tried
  // again at each look, for what was in the way may go by itself: a certificate
  // may be of tomorrow, the process out of descriptors. The error is returned
  // once; OK means that there is no news.
  absl::Status Look();

 private:
  std::vector<FileStamp> Stamps() const;

  const std::vector<std::string> paths_;
  const std::function<absl::Status()> take_;
  std::vector<FileStamp> stamps_;
  absl::Status last_;  // take_'s
};

}  // namespace mre

#endif  // MRE_SERVER_DOOR_FILE_WATCH_H_
