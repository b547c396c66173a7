// The door: who may come in, and what they may do. One for all services of a
// server.
//
//   const auto caller = door.Enter(rpc, Scope::kInfer);
//   if (!caller.ok()) return refuse(caller.status());
#ifndef MRE_SERVER_DOOR_DOOR_H_
#define MRE_SERVER_DOOR_DOOR_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "model/base/clock.h"
#include "model/base/ticker.h"
#include "server/door/file_watch.h"
#include "server/door/options.h"
#include "server/door/tls_credentials.h"
#include "server/door/token_book.h"

namespace mre {

// Whoever made a call.
struct Caller {
  // Equal for calls of the same client: of one token or, where no token is
  // asked for, of one connection.
  uint64_t client = 0;
  std::string name;  // the token's; empty: none was asked for
};

// Thread-safe.
class Door {
 public:
  // Reads and checks the files that the options name; an error names the flag.
  // From then on looks every second whether they were replaced: what is good is
  // taken, what is not is told to the log, and the old goes on until it is
  // good.
  static absl::StatusOr<std::unique_ptr<Door>> Open(const DoorOptions& options);

  // To be called once at the start of every call, and for each request that is
  // opened on a stream, which counts towards a token's rate. Health and
  // reflection, and ServerLive and ServerReady, need no token. UNAUTHENTICATED
  // without a token that is known, PERMISSION_DENIED without the scope,
  // RESOURCE_EXHAUSTED (RetryAfterMillis) beyond the rate.
  absl::StatusOr<Caller> Enter(const grpc::ServerContextBase& rpc,
                               Scope scope) const;
  // The same without being counted: for streams on which each request is.
  absl::StatusOr<Caller> Identify(const grpc::ServerContextBase& rpc,
                                  Scope scope) const;
  // Of an error of Enter's: for `grpc-retry-pushback-ms`, if it has to do with
  // time.
  static std::optional<int64_t> RetryAfterMillis(const absl::Status& status);

  // Plain or TLS. For one server, which this must outlive.
  std::shared_ptr<grpc::ServerCredentials> Credentials();

  // When the certificate expires; none without TLS.
  std::optional<absl::Time> certificate_expiry() const;

 private:
  explicit Door(const DoorOptions& options);

  absl::StatusOr<Caller> LetIn(const grpc::ServerContextBase& rpc, Scope scope,
                               bool counted) const;
  // Takes what the files hold now. An error is of the files.
  absl::Status TakeCertificate();
  absl::Status TakeTokens();
  void Look();
  std::shared_ptr<TokenBook> tokens() const;

  const DoorOptions options_;
  std::unique_ptr<ServedCertificate> certificate_;  // null: no TLS

  mutable absl::Mutex mu_;
  std::shared_ptr<TokenBook> tokens_ ABSL_GUARDED_BY(mu_);  // null: none needed

  // Of watch_'s thread.
  FileWatch certificate_files_;
  FileWatch token_files_;
  std::unique_ptr<Ticker> watch_;  // last: it goes first
};

}  // namespace mre

#endif  // MRE_SERVER_DOOR_DOOR_H_
