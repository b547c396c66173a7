#include "server/config_file.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "model/base/file.h"
#include "model/base/json_keys.h"
#include "model/base/status_macros.h"

namespace mre {
namespace {

using Json = nlohmann::ordered_json;
using Kind = ConfigValue::Kind;

// All that is wrong, each with its place in front.
class Problems {
 public:
  explicit Problems(std::vector<std::string>& problems) : problems_(problems) {}

  template <typename... Texts>
  void Add(absl::string_view place, const Texts&... texts) {
    problems_.push_back(absl::StrCat(place, ": ", texts...));
  }

 private:
  std::vector<std::string>& problems_;
};

// The beginning of a value, for messages.
std::string Got(const Json& json) {
  constexpr size_t kMost = 60;
  const std::string text =
      json.dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace);
  return text.size() <= kMost ? text
                              : absl::StrCat(text.substr(0, kMost), "...");
}

// A key as it may stand in a message.
std::string Quoted(absl::string_view key) {
  return Got(Json(std::string(key)));
}

bool HasControl(absl::string_view text) {
  return std::any_of(text.begin(), text.end(), absl::ascii_iscntrl);
}

// Parses, noting keys that are there twice and what nests too deeply, which is
// not even built.
Json Parse(absl::string_view text, Problems& problems) {
  RepeatedKeys keys;
  bool too_deep = false;
  const auto note = [&](int depth, Json::parse_event_t event, Json& value) {
    if (!too_deep && keys.Repeats(depth, event, value)) {
      problems.Add(Quoted(value.get<std::string>()), "is there twice");
    }
    too_deep |= depth >= kMaxConfigDepth;
    return !too_deep;
  };
  try {
    Json json = Json::parse(text.begin(), text.end(), note,
                            /*allow_exceptions=*/true,
                            /*ignore_comments=*/true);
    if (too_deep) {
      problems.Add("the file", "nests deeper than ", kMaxConfigDepth);
    }
    return json;
  } catch (const Json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 3, column 5: ..."
    const absl::string_view what = error.what();
    const size_t end = what.find("] ");
    problems.Add("expected JSON",
                 end == absl::string_view::npos ? what : what.substr(end + 2));
  }
  return Json();
}

bool ReadValue(const Json& json, ConfigValue& value) {
  if (json.is_string()) {
    value = {Kind::kText, json.get<std::string>()};
  } else if (json.is_number_integer()) {
    value = {Kind::kInteger, json.dump()};
  } else if (json.is_number()) {
    value = {Kind::kNumber, json.dump()};
  } else if (json.is_boolean()) {
    value = {Kind::kBoolean, json.dump()};
  } else {
    return false;
  }
  return !HasControl(value.text);
}

void ReadEntry(const std::string& key, const Json& json, ConfigFile& file,
               Problems& problems) {
  ConfigFile::Entry entry;
  entry.key = key;
  entry.is_list = json.is_array();
  const Json one = Json::array({json});
  for (const Json& item : entry.is_list ? json : one) {
    ConfigValue value;
    if (!ReadValue(item, value)) {
      problems.Add(key,
                   "expected a text without control characters, a number, true "
                   "or false, got ",
                   Got(item));
      return;
    }
    entry.values.push_back(std::move(value));
  }
  file.entries.push_back(std::move(entry));
}

bool IsVersion(const Json& json) {
  return json.is_number_integer() && json >= 1 && json <= INT64_MAX;
}

void ReadVersions(const std::string& place, const Json& json,
                  ModelSettings& settings, Problems& problems) {
  constexpr char kExpected[] =
      "expected \"latest:N\", \"all\", or a list of versions such as [1, 3], "
      "got ";
  std::string text;
  if (json.is_string()) {
    text = json.get<std::string>();
  } else if (json.is_array() &&
             std::all_of(json.begin(), json.end(),
                         [](const Json& item) { return IsVersion(item); })) {
    text = absl::StrJoin(json, ",", [](std::string* out, const Json& item) {
      absl::StrAppend(out, item.get<int64_t>());
    });
  }
  absl::StatusOr<VersionPolicy> policy = ParseVersionPolicy(text);
  if (policy.ok()) {
    settings.versions = *std::move(policy);
  } else {
    problems.Add(place, kExpected, Got(json));
  }
}

void ReadLabels(const std::string& place, const Json& json,
                ModelSettings& settings, Problems& problems) {
  if (!json.is_object()) {
    problems.Add(place, "expected an object such as {\"stable\": 3}, got ",
                 Got(json));
    return;
  }
  for (const auto& [label, version] : json.items()) {
    if (!IsVersionLabel(label)) {
      problems.Add(place,
                   "expected labels of letters, digits, '.', '_' and '-' that "
                   "are no numbers, got ",
                   Quoted(label));
    } else if (!IsVersion(version)) {
      problems.Add(absl::StrCat(place, ".", label),
                   "expected a version, a whole number from 1 on, got ",
                   Got(version));
    } else {
      settings.labels[label] = version.get<int64_t>();
    }
  }
}

void ReadModels(const Json& json, ConfigFile& file, Problems& problems) {
  if (!json.is_object()) {
    problems.Add("models", "expected an object, got ", Got(json));
    return;
  }
  for (const auto& [name, fields] : json.items()) {
    if (!IsModelName(name)) {
      problems.Add("models",
                   "expected names of letters, digits, '.', '_' and '-', not "
                   "starting with a dot, at most 128 characters, got ",
                   Quoted(name));
      continue;
    }
    const std::string place = absl::StrCat("models.", name);
    if (!fields.is_object()) {
      problems.Add(place, "expected an object, got ", Got(fields));
      continue;
    }
    ModelSettings& settings = file.models[name];
    for (const auto& [key, value] : fields.items()) {
      if (key == "versions") {
        ReadVersions(place + ".versions", value, settings, problems);
      } else if (key == "labels") {
        ReadLabels(place + ".labels", value, settings, problems);
      } else {
        problems.Add(place, "expected versions and labels, got the key ",
                     Quoted(key));
      }
    }
  }
}

}  // namespace

ConfigFile ReadConfigFile(absl::string_view text,
                          std::vector<std::string>& list) {
  Problems problems(list);
  ConfigFile file;
  if (text.size() > kMaxConfigBytes) {
    problems.Add("the file", "expected at most ", kMaxConfigBytes, " bytes");
    return file;
  }
  const size_t before = list.size();
  const Json json = Parse(text, problems);
  if (list.size() > before) return file;
  if (!json.is_object()) {
    problems.Add("the file", "expected a JSON object, got ", Got(json));
    return file;
  }
  for (const auto& [key, value] : json.items()) {
    if (key == "models") {
      ReadModels(value, file, problems);
    } else if (key.empty() || HasControl(key)) {
      problems.Add(Quoted(key), "expected the name of a flag");
    } else {
      ReadEntry(key, value, file, problems);
    }
  }
  return file;
}

absl::StatusOr<ConfigFile> ParseConfigFile(absl::string_view text) {
  std::vector<std::string> problems;
  ConfigFile file = ReadConfigFile(text, problems);
  if (problems.empty()) return file;
  return absl::InvalidArgumentError(absl::StrJoin(problems, "\n"));
}

absl::StatusOr<std::map<std::string, ModelSettings>> ReadModelSettings(
    const std::string& config_file) {
  // One more than may be is enough to see that it is too large.
  ASSIGN_OR_RETURN(const std::string text,
                   ReadFile(config_file, kMaxConfigBytes + 1));
  absl::StatusOr<ConfigFile> file = ParseConfigFile(text);
  if (file.ok()) return std::move(file->models);
  return absl::InvalidArgumentError(absl::StrCat(
      config_file, ": ",
      absl::StrReplaceAll(file.status().message(),
                          {{"\n", absl::StrCat("\n", config_file, ": ")}})));
}

}  // namespace mre
