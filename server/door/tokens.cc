#include "server/door/tokens.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/base/json_fields.h"
#include "model/base/status_macros.h"

namespace mre {
namespace {

constexpr size_t kMaxNameBytes = 64;
constexpr double kMaxRate = 1e9;

bool IsName(absl::string_view text) {
  return !text.empty() && text.size() <= kMaxNameBytes &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
         });
}

// What an HTTP header carries as it is.
bool IsToken(absl::string_view text) {
  return text.size() >= kMinTokenBytes && text.size() <= kMaxTokenBytes &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return absl::ascii_isgraph(c); });
}

bool IsSha256(absl::string_view text) {
  return text.size() == 2 * std::tuple_size_v<Sha256> &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return absl::ascii_isxdigit(c); });
}

// The secret of one entry, as its hash.
void ReadSecret(JsonFields& fields, Sha256& sha256) {
  std::string token;
  std::string hex;
  fields.Optional("token", token);
  fields.Optional("sha256", hex);
  if (token.empty() == hex.empty()) {
    fields.Fail("expected either \"token\" or \"sha256\"");
  } else if (!hex.empty()) {
    if (!IsSha256(hex)) {
      fields.Fail("\"sha256\": expected 64 hex digits");
      return;
    }
    const std::string bytes = absl::HexStringToBytes(hex);
    std::copy(bytes.begin(), bytes.end(), sha256.begin());
  } else if (!IsToken(token)) {
    fields.Fail("\"token\": expected ", kMinTokenBytes, " to ", kMaxTokenBytes,
                " visible ASCII characters, no spaces, got ", token.size(),
                " bytes");
  } else {
    sha256 = Sha256Of(token);
  }
}

void ReadScopes(JsonFields& fields, Token& token) {
  std::vector<std::string> scopes;
  fields.Required("scopes", scopes);
  for (const std::string& scope : scopes) {
    bool& has = scope == "admin" ? token.admin : token.infer;
    if ((scope != "infer" && scope != "admin") || has) {
      fields.Fail("\"scopes\": expected \"infer\", \"admin\" or both");
    }
    has = true;
  }
  if (scopes.empty()) {
    fields.Fail("\"scopes\": expected \"infer\", \"admin\" or both");
  }
}

void ReadRate(JsonFields& fields, Token& token) {
  const bool limited = fields.Find("requests_per_second") != nullptr;
  const bool bursts = fields.Find("burst") != nullptr;
  if (bursts && !limited) {
    fields.Fail("\"burst\" needs \"requests_per_second\"");
  }
  if (!limited) return;
  double& rate = token.requests_per_second;
  fields.Optional("requests_per_second", rate);
  if (!(rate >= 1e-3 && rate <= kMaxRate)) {
    fields.Fail("\"requests_per_second\": expected 0.001 to 1e9");
  }
  // A second's worth, if not said.
  token.burst = std::max(1.0, std::ceil(rate));
  fields.Optional("burst", token.burst);
  if (!(token.burst >= 1 && token.burst <= kMaxRate)) {
    fields.Fail("\"burst\": expected 1 to 1e9");
  }
}

absl::StatusOr<Token> ReadToken(const nlohmann::ordered_json& json,
                                size_t place) {
  const std::string where = absl::StrCat("tokens[", place, "]");
  Token token;
  JsonFields named(json, where);
  named.Required("name", token.name);
  RETURN_IF_ERROR(named.status());
  if (!IsName(token.name)) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": \"name\": expected 1 to ", kMaxNameBytes,
                     " letters, digits, '.', '_' or '-'"));
  }
  JsonFields fields(json, absl::StrCat(where, " (\"", token.name, "\")"));
  fields.Find("name");
  ReadSecret(fields, token.sha256);
  ReadScopes(fields, token);
  ReadRate(fields, token);
  RETURN_IF_ERROR(fields.status());
  // Not Finish(): the unknown name might be a token in the wrong place.
  if (fields.HasUnknown()) {
    fields.Fail(
        "a member is not known; there are \"name\", \"token\", \"sha256\", "
        "\"scopes\", \"requests_per_second\", \"burst\"");
    return fields.status();
  }
  return token;
}

// Two entries that are the same somewhere cannot be told apart.
absl::Status CheckDistinct(const std::vector<Token>& tokens) {
  std::map<std::string, size_t> names;
  std::map<Sha256, size_t> hashes;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const auto [name, new_name] = names.emplace(tokens[i].name, i);
    if (!new_name) {
      return absl::InvalidArgumentError(
          absl::StrCat("tokens[", i, "]: the name \"", tokens[i].name,
                       "\" is that of tokens[", name->second, "]"));
    }
    const auto [hash, new_hash] = hashes.emplace(tokens[i].sha256, i);
    if (!new_hash) {
      return absl::InvalidArgumentError(absl::StrCat(
          "tokens[", i, "] (\"", tokens[i].name, "\"): the token is that of \"",
          tokens[hash->second].name, "\""));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::string_view ScopeName(Scope scope) {
  return scope == Scope::kAdmin ? "admin" : "infer";
}

Sha256 Sha256Of(absl::string_view bytes) {
  Sha256 hash;
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
         hash.data());
  return hash;
}

absl::StatusOr<std::vector<Token>> ParseTokens(absl::string_view text) {
  if (text.size() > kMaxTokenFileBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "expected at most ", kMaxTokenFileBytes, " bytes, got ", text.size()));
  }
  ASSIGN_OR_RETURN(const nlohmann::ordered_json json,
                   ParseJson(text, "token file"));
  JsonFields fields(json, "token file");
  const std::vector<const nlohmann::ordered_json*> items =
      fields.Items("tokens");
  RETURN_IF_ERROR(fields.status());
  if (fields.HasUnknown() || items.empty() || items.size() > kMaxTokens) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected {\"tokens\": [...]} with 1 to ", kMaxTokens,
                     " entries and nothing else"));
  }
  std::vector<Token> tokens;
  for (size_t i = 0; i < items.size(); ++i) {
    ASSIGN_OR_RETURN(Token token, ReadToken(*items[i], i));
    tokens.push_back(std::move(token));
  }
  RETURN_IF_ERROR(CheckDistinct(tokens));
  return tokens;
}

absl::string_view BearerToken(absl::string_view authorization) {
  constexpr absl::string_view kScheme = "Bearer ";
  if (!absl::StartsWithIgnoreCase(authorization, kScheme)) return "";
  return absl::StripAsciiWhitespace(authorization.substr(kScheme.size()));
}

int FindToken(const std::vector<Token>& tokens, const Sha256& sha256) {
  int found = -1;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const bool same = CRYPTO_memcmp(tokens[i].sha256.data(), sha256.data(),
                                    sha256.size()) == 0;
    found = same ? static_cast<int>(i) : found;
  }
  return found;
}

}  // namespace mre
