// What the door is told: who may come in, and how many at once.
#ifndef MRE_SERVER_DOOR_OPTIONS_H_
#define MRE_SERVER_DOOR_OPTIONS_H_

#include <cstdint>
#include <string>

namespace mre {

// Each is the flag of its name. Times of 0: no limit, unless said.
struct DoorOptions {
  std::string tls_cert_file;       // PEM, with its chain; empty: no TLS
  std::string tls_key_file;        // PEM
  std::string tls_client_ca_file;  // PEM; empty: clients need no certificate
  std::string token_file;          // tokens.h; empty: clients need no token
  bool allow_plaintext_tokens = false;

  int64_t max_message_bytes = 0;  // 0: the largest request there may be
  int max_streams_per_connection = 16384;
  int max_connections = 10000;
  double handshake_seconds = 20;  // above 0
  double max_connection_idle_seconds = 3600;
  double max_connection_age_seconds = 0;
  double max_connection_age_grace_seconds = 30;
  double keepalive_seconds = 120;
  double keepalive_timeout_seconds = 20;  // above 0
  double min_ping_seconds = 10;
  int max_ping_strikes = 2;  // 0: any number
};

}  // namespace mre

#endif  // MRE_SERVER_DOOR_OPTIONS_H_
