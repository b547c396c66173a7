#include "server/door/exposure.h"

#include "absl/strings/str_cat.h"
#include "model/base/loopback.h"

namespace mre {

std::vector<std::string> ExposureWarnings(const DoorOptions& options,
                                          absl::string_view host) {
  std::vector<std::string> warnings;
  if (IsLoopback(host)) return warnings;
  if (options.tls_cert_file.empty()) {
    warnings.push_back(absl::StrCat(
        "NOT ENCRYPTED: --host=", host,
        " is not loopback and there is no TLS: whoever is on the way reads and "
        "changes what is sent",
        options.token_file.empty() ? "" : ", tokens too",
        ". Give --tls_cert_file and --tls_key_file, or --host=127.0.0.1 behind "
        "a proxy that has TLS"));
  }
  if (options.token_file.empty() && options.tls_client_ca_file.empty()) {
    warnings.push_back(
        absl::StrCat("OPEN TO ANYBODY: whoever reaches --host=", host,
                     " may ask for predictions. Give --token_file, or "
                     "--tls_client_ca_file"));
  }
  return warnings;
}

absl::Status CheckExposure(const DoorOptions& options, absl::string_view host) {
  if (IsLoopback(host) || !options.tls_cert_file.empty() ||
      options.token_file.empty() || options.allow_plaintext_tokens) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "--token_file: tokens would be sent in the clear, for --host=", host,
      " is not loopback and there is no TLS: give --tls_cert_file and "
      "--tls_key_file; or --allow_plaintext_tokens, if only a proxy that has "
      "TLS can reach the port"));
}

}  // namespace mre
