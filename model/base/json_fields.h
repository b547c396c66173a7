// JSON that came from outside: its text, and the members of its objects, each
// of which must be there, or be left out where it may, have its type, and be
// known. (This header is for .cc files only: JSON is in no interface.)
#ifndef MRE_MODEL_BASE_JSON_FIELDS_H_
#define MRE_MODEL_BASE_JSON_FIELDS_H_

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "model/base/json_depth.h"
#include "model/base/json_keys.h"

namespace mre {

// A key as it may stand in a message: of a long one the beginning, for in a
// file of secrets it may be one in the wrong place.
inline std::string QuotedKey(absl::string_view key) {
  constexpr size_t kLong = 16;  // as the shortest token
  return key.size() < kLong
             ? absl::StrCat("\"", absl::CHexEscape(key), "\"")
             : absl::StrCat("\"", absl::CHexEscape(key.substr(0, kLong / 2)),
                            "...\"");
}

// INVALID_ARGUMENT, beginning with `where`, for what is no JSON, nests too
// deeply to be copied and written, or has a key twice in one object.
inline absl::StatusOr<nlohmann::ordered_json> ParseJson(
    absl::string_view text, absl::string_view where) {
  if (JsonDepth(text) > kMaxJsonDepth) {
    return absl::InvalidArgumentError(absl::StrCat(
        where, ": expected JSON that nests at most ", kMaxJsonDepth, " deep"));
  }
  using Json = nlohmann::ordered_json;
  RepeatedKeys keys;
  std::string repeated;  // the first, quoted
  auto json = Json::parse(
      text.begin(), text.end(),
      [&](int depth, Json::parse_event_t event, const Json& value) {
        if (keys.Repeats(depth, event, value) && repeated.empty()) {
          repeated = QuotedKey(value.get<std::string>());
        }
        return true;
      },
      /*allow_exceptions=*/false);
  if (json.is_discarded()) {
    return absl::InvalidArgumentError(absl::StrCat(where, ": expected JSON"));
  }
  if (!repeated.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": ", repeated, " is there twice"));
  }
  return json;
}

// On one line; bytes that are no UTF-8 are replaced.
inline std::string JsonText(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false,
                   nlohmann::ordered_json::error_handler_t::replace);
}

// Usage: read members, then Finish(), which is the first error of all reads and
// otherwise refuses a member that nobody has read.
//
//   JsonFields fields(json, "plan");
//   fields.Required("name", plan.name);
//   fields.Optional("title", plan.title);
//   RETURN_IF_ERROR(fields.Finish());
//
// Borrows the JSON. `where` begins every message.
class JsonFields {
 public:
  using Json = nlohmann::ordered_json;

  JsonFields(const Json& json, std::string where)
      : json_(json), where_(std::move(where)) {
    if (!json.is_object()) Fail("expected an object, got ", json.type_name());
  }

  template <typename T>
  void Required(const char* name, T& value) {
    if (const Json* member = Find(name)) {
      Convert(*member, name, value);
    } else {
      Fail("\"", name, "\" is missing");
    }
  }
  template <typename T>
  void Optional(const char* name, T& value) {
    if (const Json* member = Find(name)) Convert(*member, name, value);
  }
  // The member as it is; null when it is missing.
  const Json* Find(const char* name) {
    read_.insert(name);
    if (!json_.is_object()) return nullptr;
    const auto it = json_.find(name);
    return it == json_.end() ? nullptr : &*it;
  }
  // The items of a member that is an array; none when it is missing.
  std::vector<const Json*> Items(const char* name) {
    std::vector<const Json*> items;
    const Json* member = Find(name);
    if (member != nullptr && !member->is_array()) {
      Expected(name, "a list", *member);
    } else if (member != nullptr) {
      for (const Json& item : *member) items.push_back(&item);
    }
    return items;
  }

  template <typename... Texts>
  void Fail(const Texts&... texts) {
    status_.Update(
        absl::InvalidArgumentError(absl::StrCat(where_, ": ", texts...)));
  }

  // The first error so far. For objects that may have members of a later
  // version.
  const absl::Status& status() const { return status_; }
  // Whether there is a member that nobody has read. For files whose names of
  // members, should they be wrong, are nothing to be shown.
  bool HasUnknown() const {
    if (!json_.is_object()) return false;
    for (const auto& [name, value] : json_.items()) {
      if (read_.count(name) == 0) return true;
    }
    return false;
  }
  absl::Status Finish() {
    if (!status_.ok()) return status_;
    for (const auto& [name, value] : json_.items()) {
      if (read_.count(name) == 0) Fail("\"", name, "\" is not known here");
    }
    return status_;
  }

 private:
  void Expected(const char* name, const char* what, const Json& got) {
    Fail("\"", name, "\": expected ", what, ", got ", got.type_name());
  }

  void Convert(const Json& json, const char* name, std::string& value) {
    if (!json.is_string()) return Expected(name, "a text", json);
    value = json.get<std::string>();
  }
  void Convert(const Json& json, const char* name, double& value) {
    if (!json.is_number()) return Expected(name, "a number", json);
    value = json.get<double>();
  }
  // Whole numbers from 0 on.
  template <typename T>
  requires std::is_integral_v<T>
  void Convert(const Json& json, const char* name, T& value) {
    constexpr uint64_t kMost = std::numeric_limits<T>::max();
    if (!json.is_number_unsigned() || json.get<uint64_t>() > kMost) {
      return Expected(name, "a whole number of at least 0", json);
    }
    value = static_cast<T>(json.get<uint64_t>());
  }
  template <typename T>
  void Convert(const Json& json, const char* name, std::vector<T>& values) {
    if (!json.is_array()) return Expected(name, "a list", json);
    values.clear();
    for (const Json& item : json) {
      T value{};
      Convert(item, name, value);
      values.push_back(std::move(value));
    }
  }

  const Json& json_;
  const std::string where_;
  std::set<std::string> read_;
  absl::Status status_;
};

}  // namespace mre

#endif  // MRE_MODEL_BASE_JSON_FIELDS_H_
