#include "model/train/recipe.h"

#include <algorithm>
#include <span>

#include "absl/strings/str_cat.h"
#include "model/base/json_fields.h"
#include "model/base/status_macros.h"

namespace mre {
namespace {

using nlohmann::ordered_json;

// Fields that only "raytracing" has, and those of others that it has not.
constexpr absl::string_view kRaytracingOnly[] = {
    "modules",   "sparsity", "block_input", "gain",
    "theta_out", "decay",    "arrival"};
constexpr absl::string_view kNotRaytracing[] = {
    "context",     "stem",         "router_lr", "noise",
    "temperature", "exit_weights", "shared_lr"};

bool Contains(std::span<const absl::string_view> fields,
              absl::string_view field) {
  return std::find(fields.begin(), fields.end(), field) != fields.end();
}

// False for what only other kinds have; and for what an mre has not had from
// the start, where it is as it was before.
bool Applies(const FitOptions& options, absl::string_view field) {
  const bool rays = options.kind == "raytracing";
  if (Contains(kRaytracingOnly, field)) return rays;
  if (rays && Contains(kNotRaytracing, field)) return false;
  if (field == "expert" || field == "patch" || field == "stride" ||
      field == "padding") {
    return options.expert == "conv";
  }
  if (field == "stem_layers") {
    return options.expert == "conv" && !options.stem_layers.empty();
  }
  // Younger than recipes that do not say it.
  if (field == "shared_lr") return options.shared_lr != 0;
  if (field == "router_training") {
    return options.kind == "mre" && options.router_training != kStraightThrough;
  }
  if (field == "distillation") return options.distillation != 0;
  if (field == "precision") return options.precision != "f32";
  if (field == "window" || field == "embedding") return IsText(options);
  if (field == "max_updates") return options.max_updates != 0;
  if (field == "sharing") {
    return options.kind == "pathmoe" ||
           (options.kind == "mre" && options.sharing != 1);
  }
  if (field == "expert_cost") return options.kind == "adak";
  if (field == "top_k" || field == "balance") return RoutesByLayer(options);
  return true;
}

// Every field, whether it applies or not.
ordered_json AllFields(const FitOptions& options) {
  ordered_json json = ordered_json::object();
  VisitRecipe(options, [&](const char* name, const auto& field, const char*) {
    json[name] = field;
  });
  return json;
}

}  // namespace

std::string FormatRecipe(const FitOptions& options) {
  ordered_json json = AllFields(options);
  VisitRecipe(options, [&](const char* name, const auto&, const char*) {
    if (!Applies(options, name)) json.erase(name);
  });
  return JsonText(json);
}

absl::StatusOr<FitOptions> ParseRecipe(absl::string_view text) {
  ASSIGN_OR_RETURN(const ordered_json json, ParseJson(text, "recipe"));
  FitOptions options;
  options.router_training = kStraightThrough;  // recipes that do not say it
  JsonFields fields(json, "recipe");
  fields.Required("dataset", options.dataset);
  VisitRecipe(options, [&](const char* name, auto& field, const char*) {
    fields.Optional(name, field);
  });
  RETURN_IF_ERROR(fields.status());
  FillDefaults(options);
  RETURN_IF_ERROR(Validate(options));
  return options;
}

absl::Status CheckSameRecipe(const FitOptions& saved, const FitOptions& given,
                             const std::set<std::string>& flags) {
  const ordered_json had = AllFields(saved);
  FitOptions asked = given;
  if (flags.count("kind") == 0) asked.kind = saved.kind;
  if (flags.count("expert") == 0) asked.expert = saved.expert;
  if (flags.count("dataset") == 0) asked.dataset = saved.dataset;
  FillDefaults(asked);
  const ordered_json wanted = AllFields(asked);
  for (const auto& [name, value] : had.items()) {
    if (flags.count(name) == 0 || wanted[name] == value) continue;
    if (!Applies(saved, name) && !Applies(asked, name)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("--", name, ": the state was made with ", JsonText(value),
                     " and cannot go on with ", JsonText(wanted[name]),
                     "; leave the flag out, or start anew without --resume"));
  }
  return absl::OkStatus();
}

}  // namespace mre
