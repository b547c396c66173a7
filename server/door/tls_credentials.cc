#include "server/door/tls_credentials.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include <string>
#include <utility>

namespace mre {

// gRPC's C interface has what the C++ one lacks; this hands it through.
class ServedCertificate::GrpcCredentials final
    : public grpc::ServerCredentials {
 public:
  GrpcCredentials(ServedCertificate* source, bool clients_too)
      : credentials_(grpc_ssl_server_credentials_create_with_options(
            grpc_ssl_server_credentials_create_options_using_config_fetcher(
                clients_too
                    ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                    : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
                &GrpcCredentials::Fetch, source))) {}
  GrpcCredentials(const GrpcCredentials&) = delete;
  GrpcCredentials& operator=(const GrpcCredentials&) = delete;
  ~GrpcCredentials() override { grpc_server_credentials_release(credentials_); }

  void SetAuthMetadataProcessor(
      const std::shared_ptr<grpc::AuthMetadataProcessor>& /*processor*/)
      override {}

 private:
  int AddPortToServer(const std::string& address,
                      grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  static grpc_ssl_certificate_config_reload_status Fetch(
      void* source, grpc_ssl_server_certificate_config** config) {
    *config = static_cast<ServedCertificate*>(source)->Fetch();
    return *config == nullptr ? GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED
                              : GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  grpc_server_credentials* const credentials_;
};

ServedCertificate::ServedCertificate(Certificate certificate)
    : certificate_(std::move(certificate)) {}

void ServedCertificate::Replace(Certificate certificate) {
  absl::MutexLock lock(&mu_);
  certificate_ = std::move(certificate);
  fetched_ = false;
}

absl::Time ServedCertificate::not_after() const {
  absl::MutexLock lock(&mu_);
  return certificate_.not_after;
}

std::shared_ptr<grpc::ServerCredentials> ServedCertificate::Credentials() {
  absl::MutexLock lock(&mu_);
  fetched_ = false;
  return std::make_shared<GrpcCredentials>(this,
                                           !certificate_.client_ca_pem.empty());
}

grpc_ssl_server_certificate_config* ServedCertificate::Fetch() {
  absl::MutexLock lock(&mu_);
  if (std::exchange(fetched_, true)) return nullptr;
  const grpc_ssl_pem_key_cert_pair pair = {certificate_.key_pem.c_str(),
                                           certificate_.cert_pem.c_str()};
  // gRPC wants authorities even where no client is asked for a certificate, and
  // then does nothing with them.
  const std::string& authorities = certificate_.client_ca_pem.empty()
                                       ? certificate_.cert_pem
                                       : certificate_.client_ca_pem;
  return grpc_ssl_server_certificate_config_create(authorities.c_str(), &pair,
                                                   1);
}

}  // namespace mre
