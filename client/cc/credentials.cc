#include "client/cc/credentials.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "model/base/file.h"
#include "model/base/loopback.h"
#include "model/base/status_macros.h"

namespace mre {
namespace {

absl::StatusOr<std::string> ReadPem(absl::string_view what,
                                    const std::string& path) {
  if (path.empty()) return std::string();
  auto text = ReadFile(path);
  if (!text.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": ", text.status().message()));
  }
  if (!absl::StrContains(*text, "-----BEGIN ")) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": ", path, ": expected PEM, -----BEGIN ...-----"));
  }
  return text;
}

absl::Status CheckTls(const ClientOptions& options) {
  const ClientOptions::Tls& tls = options.tls;
  if (tls.client_cert_file.empty() != tls.client_key_file.empty()) {
    return absl::InvalidArgumentError(
        "a client certificate and its key need each other: give both or "
        "neither");
  }
  if (!tls.on && !(tls.ca_cert_file.empty() && tls.client_cert_file.empty() &&
                   tls.server_name.empty())) {
    return absl::InvalidArgumentError(
        "certificates and a server's name mean nothing without TLS");
  }
  return absl::OkStatus();
}

absl::Status CheckToken(const ClientOptions& options) {
  const std::string& token = options.token;
  if (token.empty()) return absl::OkStatus();
  if (!std::all_of(token.begin(), token.end(),
                   [](char c) { return absl::ascii_isgraph(c); })) {
    return absl::InvalidArgumentError(
        "the token has bytes that no token has: expected visible ASCII "
        "characters, no spaces");
  }
  const std::vector<std::string> targets = absl::StrSplit(options.target, ',');
  const bool stays_here = std::all_of(
      targets.begin(), targets.end(),
      [](const std::string& target) { return IsLoopback(HostOf(target)); });
  if (options.tls.on || options.allow_plaintext_token || stays_here) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("the token is not sent to ", options.target,
                   " in the clear: turn on TLS (tls), or allow_plaintext_token "
                   "where the way "
                   "there is safe"));
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeCredentials(
    const ClientOptions& options, grpc::ChannelArguments& args) {
  RETURN_IF_ERROR(CheckTls(options));
  RETURN_IF_ERROR(CheckToken(options));
  const ClientOptions::Tls& tls = options.tls;
  if (tls.on && tls.server_name.empty() &&
      absl::StrContains(options.target, ',')) {
    return absl::InvalidArgumentError(
        "several servers over TLS are asked by their addresses: expected the "
        "name that is in their certificates (server_name)");
  }
  if (!tls.on) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions ssl;
  ASSIGN_OR_RETURN(ssl.pem_root_certs,
                   ReadPem("authorities", tls.ca_cert_file));
  ASSIGN_OR_RETURN(ssl.pem_cert_chain,
                   ReadPem("client certificate", tls.client_cert_file));
  ASSIGN_OR_RETURN(ssl.pem_private_key,
                   ReadPem("client key", tls.client_key_file));
  if (!tls.server_name.empty()) args.SetSslTargetNameOverride(tls.server_name);
  return grpc::SslCredentials(ssl);
}

}  // namespace mre
