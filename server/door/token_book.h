// The tokens of one token file, in use: who presents which, and how often.
#ifndef MRE_SERVER_DOOR_TOKEN_BOOK_H_
#define MRE_SERVER_DOOR_TOKEN_BOOK_H_

#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/door/rate_limit.h"
#include "server/door/tokens.h"

namespace mre {

// Thread-safe.
class TokenBook {
 public:
  explicit TokenBook(std::vector<Token> tokens);

  // The token that `authorization`, the header's value (empty: there is none),
  // presents; it lives as long as this. UNAUTHENTICATED, or PERMISSION_DENIED
  // when it lacks `scope`, or when it is kAdmin and no token has that.
  absl::StatusOr<const Token*> Find(absl::string_view authorization,
                                    Scope scope) const;

  // Counts a request of a token of this book. How long until it may be made;
  // zero: now.
  absl::Duration Take(const Token& token, absl::Time now);

  size_t size() const { return tokens_.size(); }

 private:
  const std::vector<Token> tokens_;
  const bool has_admin_;

  absl::Mutex mu_;
  // Of the token of the same place.
  std::vector<std::optional<RateLimit>> limits_ ABSL_GUARDED_BY(mu_);
};

// What an admin call gets of a server on which nobody can be an admin.
absl::Status AdminIsOff();

}  // namespace mre

#endif  // MRE_SERVER_DOOR_TOKEN_BOOK_H_
