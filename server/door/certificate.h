// What the server shows of itself in TLS, read from PEM and checked as far as
// can be known before anybody connects.
#ifndef MRE_SERVER_DOOR_CERTIFICATE_H_
#define MRE_SERVER_DOOR_CERTIFICATE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/door/options.h"

namespace mre {

struct Certificate {
  std::string cert_pem;       // the server's, then its chain
  std::string key_pem;        // secret
  std::string client_ca_pem;  // empty: clients need no certificate

  std::string subject;   // of the server's, as in RFC 2253
  absl::Time not_after;  // when the server's expires
};

// The PEM texts, each with what errors call it.
struct PemText {
  std::string name;  // "--tls_cert_file=server.pem"
  std::string text;
};

// INVALID_ARGUMENT, beginning with the name of the text that is wrong: it does
// not parse, the key does not belong to the certificate or needs a passphrase,
// a certificate is not valid at `now`, or OpenSSL would not serve it. An empty
// text for `client_ca` is none. Errors never repeat the texts.
absl::StatusOr<Certificate> CheckCertificate(PemText cert, PemText key,
                                             PemText client_ca, absl::Time now);

// The files of the options, checked. REQUIRES: a certificate and a key file.
absl::StatusOr<Certificate> ReadCertificate(const DoorOptions& options,
                                            absl::Time now);

}  // namespace mre

#endif  // MRE_SERVER_DOOR_CERTIFICATE_H_
