#include "server/door/door.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/memory/memory.h"
#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "model/base/file.h"
#include "model/base/log.h"
#include "model/base/status_macros.h"

namespace mre {
namespace {

constexpr absl::Duration kLookEvery = absl::Seconds(1);
constexpr char kRetryUrl[] = "mre/retry-after-ms";

absl::Status AtFlag(absl::string_view flag, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(flag, status.message()));
}

// The one authorization header; empty: none. UNAUTHENTICATED for two, of which
// nobody could say which one counts.
absl::StatusOr<absl::string_view> AuthorizationOf(
    const grpc::ServerContextBase& rpc) {
  const auto [begin, end] = rpc.client_metadata().equal_range("authorization");
  if (begin == end) return "";
  if (std::next(begin) != end) {
    return absl::UnauthenticatedError("authorization: expected one, got more");
  }
  return absl::string_view(begin->second.data(), begin->second.size());
}

// RESOURCE_EXHAUSTED, to come back when `wait` has passed.
absl::Status TooFast(const Token& token, absl::Duration wait) {
  const int64_t ms = std::max<int64_t>(
      absl::ToInt64Milliseconds(absl::Ceil(wait, absl::Milliseconds(1))), 1);
  absl::Status status = absl::ResourceExhaustedError(absl::StrCat(
      "the token \"", token.name, "\" may make ", token.requests_per_second,
      " requests a second, ", token.burst, " at once"));
  status.SetPayload(kRetryUrl, absl::Cord(absl::StrCat(ms)));
  return status;
}

void WarnIfReadable(absl::string_view flag, const std::string& path,
                    mode_t others) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0 || (info.st_mode & others) == 0) return;
  Log(Severity::kWarning,
      absl::StrCat(flag, "=", path,
                   ": other users can read or write it; chmod go= ", path));
}

}  // namespace

Door::Door(const DoorOptions& options)
    : options_(options),
      certificate_files_({options.tls_cert_file, options.tls_key_file,
                          options.tls_client_ca_file},
                         [this] { return TakeCertificate(); }),
      token_files_({options.token_file}, [this] { return TakeTokens(); }) {}

absl::StatusOr<std::unique_ptr<Door>> Door::Open(const DoorOptions& options) {
  auto door = absl::WrapUnique(new Door(options));
  RETURN_IF_ERROR(door->TakeCertificate());
  RETURN_IF_ERROR(door->TakeTokens());
  if (door->certificate_ != nullptr || door->tokens() != nullptr) {
    door->watch_ = std::make_unique<Ticker>(
        kLookEvery, [door = door.get()] { door->Look(); });
  }
  return door;
}

absl::Status Door::TakeCertificate() {
  if (options_.tls_cert_file.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(Certificate certificate,
                   ReadCertificate(options_, absl::Now()));
  // Group: Debian's ssl-cert, and so it may read.
  WarnIfReadable("--tls_key_file", options_.tls_key_file, 027);
  Log(Severity::kInfo,
      absl::StrCat("TLS: the certificate of \"", certificate.subject,
                   "\", which expires at ",
                   absl::FormatTime(absl::RFC3339_sec, certificate.not_after,
                                    absl::UTCTimeZone()),
                   certificate.client_ca_pem.empty()
                       ? ""
                       : "; clients need a certificate too"));
  if (certificate_ == nullptr) {
    certificate_ = std::make_unique<ServedCertificate>(std::move(certificate));
  } else {
    certificate_->Replace(std::move(certificate));
  }
  return absl::OkStatus();
}

absl::Status Door::TakeTokens() {
  const std::string& path = options_.token_file;
  if (path.empty()) return absl::OkStatus();
  const auto text = ReadFile(path);
  if (!text.ok()) return AtFlag("--token_file: ", text.status());
  auto tokens = ParseTokens(*text);
  if (!tokens.ok()) {
    return AtFlag(absl::StrCat("--token_file=", path, ": "), tokens.status());
  }
  WarnIfReadable("--token_file", path, 077);
  auto book = std::make_shared<TokenBook>(*std::move(tokens));
  Log(Severity::kInfo,
      absl::StrCat("tokens: ", book->size(), " may come in (", path, ")"));
  absl::MutexLock lock(&mu_);
  tokens_ = std::move(book);
  return absl::OkStatus();
}

void Door::Look() {
  const auto look = [](FileWatch& files, absl::string_view goes_on) {
    const absl::Status news = files.Look();
    if (news.ok()) return;
    Log(Severity::kWarning, absl::StrCat(news.message(), "; ", goes_on));
  };
  look(certificate_files_, "new connections are shown the old certificate");
  look(token_files_, "the old tokens stay");
}

std::shared_ptr<TokenBook> Door::tokens() const {
  absl::MutexLock lock(&mu_);
  return tokens_;
}

absl::StatusOr<Caller> Door::Enter(const grpc::ServerContextBase& rpc,
                                   Scope scope) const {
  return LetIn(rpc, scope, /*counted=*/true);
}

absl::StatusOr<Caller> Door::Identify(const grpc::ServerContextBase& rpc,
                                      Scope scope) const {
  return LetIn(rpc, scope, /*counted=*/false);
}

absl::StatusOr<Caller> Door::LetIn(const grpc::ServerContextBase& rpc,
                                   Scope scope, bool counted) const {
  const std::shared_ptr<TokenBook> tokens = this->tokens();
  if (tokens == nullptr) {
    if (scope == Scope::kAdmin) return AdminIsOff();
    return Caller{.client = absl::HashOf(rpc.peer()), .name = ""};
  }
  ASSIGN_OR_RETURN(const absl::string_view authorization, AuthorizationOf(rpc));
  ASSIGN_OR_RETURN(const Token* token, tokens->Find(authorization, scope));
  const absl::Duration wait = counted
                                  ? tokens->Take(*token, Clock::Real()->Now())
                                  : absl::ZeroDuration();
  if (wait > absl::ZeroDuration()) return TooFast(*token, wait);
  return Caller{.client = absl::HashOf(token->name), .name = token->name};
}

std::optional<int64_t> Door::RetryAfterMillis(const absl::Status& status) {
  const auto payload = status.GetPayload(kRetryUrl);
  int64_t ms = 0;
  if (!payload.has_value() || !absl::SimpleAtoi(std::string(*payload), &ms)) {
    return std::nullopt;
  }
  return ms;
}

std::shared_ptr<grpc::ServerCredentials> Door::Credentials() {
  return certificate_ == nullptr ? grpc::InsecureServerCredentials()
                                 : certificate_->Credentials();
}

std::optional<absl::Time> Door::certificate_expiry() const {
  if (certificate_ == nullptr) return std::nullopt;
  return certificate_->not_after();
}

}  // namespace mre
