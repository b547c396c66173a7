#include "client/cc/target.h"

#include <netdb.h>
#include <sys/socket.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "model/base/status_macros.h"

namespace mre {
namespace {

struct HostPort {
  std::string host;  // an IPv6 address without its brackets
  std::string port;
};

absl::Status NoAddress(const std::string& text) {
  return absl::InvalidArgumentError(
      absl::StrCat("\"", text,
                   "\" is not a server's address: expected HOST:PORT, such as "
                   "127.0.0.1:8001 or [::1]:8001"));
}

// gRPC would take a name without a port, and try port 443 (https); and ::1:8001
// as an address whose last part that is, port 443 too.
absl::StatusOr<HostPort> Split(const std::string& address) {
  const size_t colon = address.rfind(':');
  int port = 0;
  if (colon == std::string::npos || colon == 0 ||
      !absl::SimpleAtoi(address.substr(colon + 1), &port) || port <= 0 ||
      port > 65535) {
    return NoAddress(address);
  }
  std::string host = address.substr(0, colon);
  if (host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (absl::StrContains(host, ':')) {
    return NoAddress(address);
  }
  return HostPort{std::move(host), absl::StrCat(port)};
}

// The host's first address of a family, as digits.
std::optional<std::string> Find(const HostPort& at, int family) {
  addrinfo hints = {};
  hints.ai_family = family;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(at.host.c_str(), at.port.c_str(), &hints, &found) != 0) {
    return std::nullopt;
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found,
                                                             freeaddrinfo);
  char digits[NI_MAXHOST];
  if (getnameinfo(found->ai_addr, found->ai_addrlen, digits, sizeof(digits),
                  nullptr, 0, NI_NUMERICHOST) != 0) {
    return std::nullopt;
  }
  return family == AF_INET6 ? absl::StrCat("[", digits, "]:", at.port)
                            : absl::StrCat(digits, ":", at.port);
}

// Nothing when a host has no address of the family.
std::optional<std::string> FindAll(const std::vector<HostPort>& hosts,
                                   int family) {
  std::vector<std::string> found;
  for (const HostPort& at : hosts) {
    std::optional<std::string> address = Find(at, family);
    if (!address.has_value()) return std::nullopt;
    found.push_back(*std::move(address));
  }
  return absl::StrCat(family == AF_INET6 ? "ipv6:" : "ipv4:",
                      absl::StrJoin(found, ","));
}

}  // namespace

absl::StatusOr<Target> ParseTarget(const std::string& text) {
  std::vector<HostPort> hosts;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    ASSIGN_OR_RETURN(HostPort at, Split(std::string(part)));
    hosts.push_back(std::move(at));
  }
  if (hosts.size() == 1) return Target{text, false};
  for (const int family : {AF_INET, AF_INET6}) {
    std::optional<std::string> uri = FindAll(hosts, family);
    if (uri.has_value()) return Target{*std::move(uri), true};
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", text,
      "\": expected hosts that all have an IPv4 address, or all an "
      "IPv6 address"));
}

}  // namespace mre
