// The token file: who may call, and what.
//
//   {"tokens": [
//     {"name": "phone", "token": "at least 16 characters", "scopes": ["infer"],
//      "requests_per_second": 50, "burst": 100},
//     {"name": "operator", "sha256": "64 hex digits", "scopes": ["admin"]}]}
//
// A token stands there as it is or as the SHA-256 of its characters. It is
// presented as `authorization: Bearer TOKEN`. No error of this file's repeats
// what the file holds but names, which are not secret.
#ifndef MRE_SERVER_DOOR_TOKENS_H_
#define MRE_SERVER_DOOR_TOKENS_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mre {

// What a call may do. The two are apart: one does not give the other.
enum class Scope {
  kInfer,  // predictions, and which models there are
  kAdmin,  // loading and unloading models
};

// "infer" or "admin".
absl::string_view ScopeName(Scope scope);

using Sha256 = std::array<uint8_t, 32>;

Sha256 Sha256Of(absl::string_view bytes);

inline constexpr size_t kMinTokenBytes = 16;
inline constexpr size_t kMaxTokenBytes = 4096;
inline constexpr size_t kMaxTokens = 1000;
inline constexpr size_t kMaxTokenFileBytes = 1 << 20;

struct Token {
  std::string name;  // 1 to 64 letters, digits, '.', '_', '-'
  Sha256 sha256 = {};
  bool infer = false;
  bool admin = false;
  double requests_per_second = 0;  // 0: no limit
  double burst = 0;                // at least 1 where there is a limit

  bool may(Scope scope) const { return scope == Scope::kAdmin ? admin : infer; }
};

// The entries of a token file's text, at least one. INVALID_ARGUMENT names the
// entry and what was expected.
absl::StatusOr<std::vector<Token>> ParseTokens(absl::string_view text);

// The token of an authorization header's value; empty when it is none.
absl::string_view BearerToken(absl::string_view authorization);

// The place of the token whose hash is `sha256`, or -1. The time it takes does
// not depend on which one it is, nor on how much of it is right.
int FindToken(const std::vector<Token>& tokens, const Sha256& sha256);

}  // namespace mre

#endif  // MRE_SERVER_DOOR_TOKENS_H_
