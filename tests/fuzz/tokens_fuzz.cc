// Any text is refused with a reason that repeats no secret of it, or is a list
// of tokens that can be told apart, each of which is found again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "server/door/token_book.h"
#include "server/door/tokens.h"

namespace {

// Where the corpus has secrets they begin like this.
constexpr char kSecret[] = "s3cret";

void Require(bool holds) {
  if (!holds) std::abort();
}

// Whether `message` repeats a secret of `text`. Names are none, whatever they
// begin with.
bool Tells(absl::string_view message, absl::string_view text) {
  if (!absl::StrContains(message, kSecret)) return false;
  const auto json = nlohmann::json::parse(text.begin(), text.end(), nullptr,
                                          /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("tokens")) return true;
  std::string rest(message);
  for (const auto& entry : json["tokens"]) {
    if (!entry.is_object() || !entry.contains("name")) continue;
    if (!entry["name"].is_string()) continue;
    const auto name = entry["name"].get<std::string>();
    if (!name.empty()) rest = absl::StrReplaceAll(rest, {{name, ""}});
  }
  return absl::StrContains(rest, kSecret);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  auto tokens = mre::ParseTokens(text);
  if (!tokens.ok()) {
    Require(!tokens.status().message().empty());
    Require(!Tells(tokens.status().message(), text));
    return 0;
  }
  Require(!tokens->empty() && tokens->size() <= mre::kMaxTokens);
  for (size_t i = 0; i < tokens->size(); ++i) {
    const mre::Token& token = tokens->at(i);
    Require(mre::FindToken(*tokens, token.sha256) == static_cast<int>(i));
    Require(!token.name.empty());
    Require(token.may(mre::Scope::kInfer) || token.may(mre::Scope::kAdmin));
    Require(token.requests_per_second == 0 || token.burst >= 1);
  }
  mre::TokenBook book(*std::move(tokens));
  const auto found = book.Find("Bearer s3cret-0123456789", mre::Scope::kInfer);
  if (found.ok()) book.Take(**found, absl::UnixEpoch());
  return 0;
}
