// TLS for gRPC whose certificate can be replaced while the server runs.
#ifndef MRE_SERVER_DOOR_TLS_CREDENTIALS_H_
#define MRE_SERVER_DOOR_TLS_CREDENTIALS_H_

#include <grpcpp/security/server_credentials.h>

#include <cstdint>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/door/certificate.h"

struct grpc_ssl_server_certificate_config;

namespace mre {

// The certificate that new connections are shown. Thread-safe.
//
// Each handshake asks Fetch() whether there is a newer one; gRPC then takes it,
// or goes on with the old. (gRPC's own watcher of files takes what it finds
// unchecked, and with a key that does not match all handshakes fail.)
class ServedCertificate {
 public:
  // REQUIRES: checked, as all that follow. Whether clients need a certificate
  // stays as it is with the first.
  explicit ServedCertificate(Certificate certificate);

  void Replace(Certificate certificate);
  // Of the one that is served now.
  absl::Time not_after() const;

  // For one server, which this must outlive. TLS 1.2 and 1.3.
  std::shared_ptr<grpc::ServerCredentials> Credentials();

 private:
  class GrpcCredentials;

  // Null: gRPC has the newest. The caller owns it.
  grpc_ssl_server_certificate_config* Fetch();

  mutable absl::Mutex mu_;
  Certificate certificate_ ABSL_GUARDED_BY(mu_);
  bool fetched_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace mre

#endif  // MRE_SERVER_DOOR_TLS_CREDENTIALS_H_
