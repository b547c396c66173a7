#include "server/door_flags.h"

#include <CLI/CLI.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/flag_checks.h"

namespace mre {
namespace {

constexpr double kHour = 3600;
constexpr double kDay = 24 * kHour;

void AddFiles(CLI::App& app, DoorOptions& door) {
  app.add_option("--tls_cert_file", door.tls_cert_file,
                 "PEM file of the server's certificate and its chain: calls "
                 "are taken over TLS only. This and the files below are read "
                 "again when they change")
      ->type_name("FILE");
  app.add_option("--tls_key_file", door.tls_key_file,
                 "PEM file of the certificate's private key")
      ->type_name("FILE");
  app.add_option("--tls_client_ca_file", door.tls_client_ca_file,
                 "PEM file of authorities: clients must show a certificate of "
                 "one of them (mTLS)")
      ->type_name("FILE");
  app.add_option(
         "--token_file", door.token_file,
         "JSON file of tokens: calls need one of them, all but health checks "
         "and reflection. server/README.md shows the file")
      ->type_name("FILE");
  app.add_flag("--allow_plaintext_tokens", door.allow_plaintext_tokens,
               "Take tokens without TLS on a --host that is not loopback: for "
               "a port that only a proxy with TLS can reach");
}

void AddConnections(CLI::App& app, DoorOptions& door) {
  app.add_option(
         "--max_message_bytes", door.max_message_bytes,
         "Largest request, in bytes; 0: what --max_rows_per_request "
         "rows of the largest model that is loaded at the start take (at "
         "least 16 MiB if others may be loaded later)")
      ->check(WholeNumber(0, 1 << 30));
  app.add_option("--max_connections", door.max_connections,
                 "Connections open at once; more are reset. Fewer where the "
                 "process may not open as many files (ulimit -Hn)")
      ->check(WholeNumber(1, 1 << 24));
  app.add_option("--max_streams_per_connection",
                 door.max_streams_per_connection,
                 "Calls open at once on a connection; more wait at the client")
      ->check(WholeNumber(1, 1 << 24));
  app.add_option("--handshake_seconds", door.handshake_seconds,
                 "How long a new connection may take to say that it speaks "
                 "HTTP/2, TLS included, before it is closed")
      ->check(Number(0.1, kHour));
  app.add_option("--max_connection_idle_seconds",
                 door.max_connection_idle_seconds,
                 "A connection without calls is closed after this; 0: never")
      ->check(Number(0, 10 * kDay));
  app.add_option("--max_connection_age_seconds",
                 door.max_connection_age_seconds,
                 "A connection takes no new calls after this, so that clients "
                 "spread over servers again; 0: never")
      ->check(Number(0, 10 * kDay));
  app.add_option("--max_connection_age_grace_seconds",
                 door.max_connection_age_grace_seconds,
                 "How long calls may then go on; 0: as long as they like")
      ->check(Number(0, 10 * kDay));
}

void AddPings(CLI::App& app, DoorOptions& door) {
  app.add_option("--keepalive_seconds", door.keepalive_seconds,
                 "A connection on which nothing came for so long is pinged; "
                 "0: never")
      ->check(Number(0, kDay));
  app.add_option("--keepalive_timeout_seconds", door.keepalive_timeout_seconds,
                 "How long the answer to a ping, or to what was sent, may take "
                 "before the connection counts as lost")
      ->check(Number(0.1, kHour));
  app.add_option("--min_ping_seconds", door.min_ping_seconds,
                 "Clients may ping this often; 0: as often as they like")
      ->check(Number(0, kDay));
  app.add_option("--max_ping_strikes", door.max_ping_strikes,
                 "Pings that come too early before a connection is closed; 0: "
                 "any number")
      ->check(WholeNumber(0, 1000));
}

}  // namespace

void AddDoorFlags(CLI::App& app, ServerConfig& config) {
  app.add_option("--metrics_host", config.metrics_host,
                 "Address of the metrics port, which has neither TLS nor "
                 "tokens; if not given --host");
  AddFiles(app, config.door);
  AddConnections(app, config.door);
  AddPings(app, config.door);
}

std::vector<FlagProblem> CheckDoorFlags(const ServerConfig& config) {
  const DoorOptions& door = config.door;
  std::vector<FlagProblem> problems;
  const auto needs = [&](const char* flag, const std::string& value,
                         const char* other, const std::string& other_value) {
    if (value.empty() || !other_value.empty()) return;
    problems.push_back({flag, absl::StrCat("expected --", other, " too")});
  };
  needs("tls_cert_file", door.tls_cert_file, "tls_key_file", door.tls_key_file);
  needs("tls_key_file", door.tls_key_file, "tls_cert_file", door.tls_cert_file);
  needs("tls_client_ca_file", door.tls_client_ca_file, "tls_cert_file",
        door.tls_cert_file);
  return problems;
}

}  // namespace mre
