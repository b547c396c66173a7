#include "server/door/token_book.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace mre {

TokenBook::TokenBook(std::vector<Token> tokens)
    : tokens_(std::move(tokens)),
      has_admin_(std::any_of(tokens_.begin(), tokens_.end(),
                             [](const Token& token) { return token.admin; })),
      limits_(tokens_.size()) {
  absl::MutexLock lock(&mu_);
  for (size_t i = 0; i < tokens_.size(); ++i) {
    const Token& token = tokens_[i];
    if (token.requests_per_second == 0) continue;
    limits_[i].emplace(token.requests_per_second, token.burst);
  }
}

absl::StatusOr<const Token*> TokenBook::Find(absl::string_view authorization,
                                             Scope scope) const {
  if (scope == Scope::kAdmin && !has_admin_) return AdminIsOff();
  if (authorization.empty()) {
    return absl::UnauthenticatedError(
        "a token is needed: send the metadata \"authorization: Bearer TOKEN\"");
  }
  const absl::string_view presented = BearerToken(authorization);
  if (presented.empty()) {
    return absl::UnauthenticatedError(
        "authorization: expected \"Bearer TOKEN\"");
  }
  const int place = FindToken(tokens_, Sha256Of(presented));
  if (place < 0) return absl::UnauthenticatedError("the token is not known");
  const Token& token = tokens_[static_cast<size_t>(place)];
  if (!token.may(scope)) {
    return absl::PermissionDeniedError(absl::StrCat("the token \"", token.name,
                                                    "\" lacks the scope \"",
                                                    ScopeName(scope), "\""));
  }
  return &token;
}

absl::Duration TokenBook::Take(const Token& token, absl::Time now) {
  if (token.requests_per_second == 0) return absl::ZeroDuration();
  const auto place = static_cast<size_t>(&token - tokens_.data());
  absl::MutexLock lock(&mu_);
  return limits_[place]->Take(now);
}

absl::Status AdminIsOff() {
  return absl::PermissionDeniedError(
      "admin calls are off; to turn them on start mre-server with "
      "--token_file=FILE and a token in it whose scopes have \"admin\"");
}

}  // namespace mre
