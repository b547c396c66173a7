#include "client/loadtest/process_usage.h"

#include <netdb.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "model/base/status_macros.h"

namespace mre {
namespace {

constexpr size_t kMaxPage = size_t{16} << 20;
constexpr int kTimeoutSeconds = 5;

// The value of the series `name`, which has no labels.
std::optional<double> Series(absl::string_view page, absl::string_view name) {
  for (absl::string_view line : absl::StrSplit(page, '\n')) {
    if (!absl::ConsumePrefix(&line, name) || !absl::ConsumePrefix(&line, " ")) {
      continue;
    }
    double value = 0;  // A time stamp may follow.
    if (absl::SimpleAtod(line.substr(0, line.find(' ')), &value)) return value;
  }
  return std::nullopt;
}

absl::Status NoPage(const std::string& address, absl::string_view why) {
  return absl::UnavailableError(
      absl::StrCat("no metrics from http://", address, "/metrics: ", why));
}

// A connected socket.
absl::StatusOr<int> Dial(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == address.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--metrics is \"", address,
                     "\", not HOST:PORT, such as 127.0.0.1:8002"));
  }
  std::string host = address.substr(0, colon);
  if (host.front() == '[' && host.back() == ']') {  // IPv6.
    host = host.substr(1, host.size() - 2);
  }
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), address.substr(colon + 1).c_str(),
                                &hints, &found);
  if (error != 0) return NoPage(address, gai_strerror(error));
  const auto release = absl::MakeCleanup([found] { freeaddrinfo(found); });
  std::string why;
  for (const addrinfo* peer = found; peer != nullptr; peer = peer->ai_next) {
    const int fd = socket(peer->ai_family, peer->ai_socktype | SOCK_CLOEXEC, 0);
    if (fd < 0) continue;
    const timeval limit = {kTimeoutSeconds, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (connect(fd, peer->ai_addr, peer->ai_addrlen) == 0) return fd;
    why = strerror(errno);
    close(fd);
  }
  return NoPage(address, why);
}

}  // namespace

UsageSample ParseProcessMetrics(absl::string_view page, Nanos at) {
  UsageSample sample;
  sample.at = at;
  sample.cpu_seconds = Series(page, "process_cpu_seconds_total");
  sample.resident_bytes = Series(page, "process_resident_memory_bytes");
  return sample;
}

absl::StatusOr<UsageSample> ScrapeServer(const std::string& address) {
  ASSIGN_OR_RETURN(const int fd, Dial(address));
  const auto release = absl::MakeCleanup([fd] { close(fd); });
  const std::string request =
      absl::StrCat("GET /metrics HTTP/1.0\r\nHost: ", address, "\r\n\r\n");
  if (send(fd, request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return NoPage(address, strerror(errno));
  }
  std::string answer;
  std::array<char, 65536> buffer;
  ssize_t size = 0;
  while ((size = recv(fd, buffer.data(), buffer.size(), 0)) > 0 &&
         answer.size() < kMaxPage) {
    answer.append(buffer.data(), static_cast<size_t>(size));
  }
  if (size < 0) return NoPage(address, strerror(errno));
  const size_t body = answer.find("\r\n\r\n");
  const std::string status = answer.substr(0, answer.find("\r\n"));
  if (body == std::string::npos || !absl::StrContains(status, " 200")) {
    return NoPage(address, "the answer is no page of HTTP");
  }
  return ParseProcessMetrics(absl::string_view(answer).substr(body + 4),
                             NowNanos());
}

UsageSample SampleSelf() {
  UsageSample sample;
  sample.at = NowNanos();
  rusage usage = {};
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    const auto seconds = [](const timeval& time) {
      return static_cast<double>(time.tv_sec) +
             static_cast<double>(time.tv_usec) * 1e-6;
    };
    sample.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }
  std::ifstream file("/proc/self/statm");
  double total = 0;
  double resident = 0;
  if (file >> total >> resident) {
    sample.resident_bytes =
        resident * static_cast<double>(sysconf(_SC_PAGESIZE));
  }
  return sample;
}

Usage UsageBetween(const UsageSample& before, const UsageSample& after) {
  Usage usage;
  usage.resident_bytes_before = before.resident_bytes;
  usage.resident_bytes_after = after.resident_bytes;
  // A counter that went back is another process's.
  if (before.cpu_seconds.has_value() && after.cpu_seconds.has_value() &&
      *after.cpu_seconds >= *before.cpu_seconds) {
    usage.cpu_seconds = *after.cpu_seconds - *before.cpu_seconds;
    const double seconds = static_cast<double>(after.at - before.at) * 1e-9;
    if (seconds > 0) usage.cores = *usage.cpu_seconds / seconds;
  }
  return usage;
}

}  // namespace mre
