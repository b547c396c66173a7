#include "model/compare/plan.h"

#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "model/base/json_fields.h"
#include "model/base/status_macros.h"
#include "model/train/recipe.h"

namespace mre {
namespace {

using nlohmann::ordered_json;

// Far above any use; each run and seed is a training.
constexpr size_t kMostRuns = 1000;
constexpr size_t kMostSeeds = 1000;
constexpr size_t kLongestName = 64;

absl::Status Bad(absl::string_view where, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(where, ": ", what));
}

// Names become directories.
absl::Status CheckName(absl::string_view where, absl::string_view name) {
  bool good = !name.empty() && name.size() <= kLongestName && name[0] != '.';
  for (const char c : name) {
    good = good && (absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-');
  }
  if (good) return absl::OkStatus();
  return Bad(where, absl::StrCat("expected a name of at most ", kLongestName,
                                 " letters, digits, '.', '_' and '-', not "
                                 "beginning with '.'"));
}

// A recipe's members must be fields; whether their values are right is for
// ParseRecipe to say.
absl::Status CheckFields(const std::string& where, const ordered_json& recipe) {
  if (!recipe.is_object()) return Bad(where, "expected an object");
  std::set<std::string> known;
  const FitOptions any;
  VisitRecipe(any, [&](const char* name, const auto&, const char*) {
    known.insert(name);
  });
  for (const auto& [name, value] : recipe.items()) {
    if (name == "seed") {
      return Bad(where, "\"seed\": seeds are the plan's \"seeds\"");
    }
    if (known.count(name) == 0) {
      return Bad(where, absl::StrCat("\"", name,
                                     "\" is no field of a recipe (see "
                                     "mre-train fit --help)"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<PlannedRun> ParseRun(const std::string& where,
                                    const ordered_json& json,
                                    const ordered_json& defaults) {
  PlannedRun run;
  JsonFields fields(json, where);
  fields.Required("name", run.name);
  const ordered_json* own = fields.Find("recipe");
  RETURN_IF_ERROR(fields.Finish());
  RETURN_IF_ERROR(CheckName(absl::StrCat(where, ": \"name\""), run.name));
  const std::string place = absl::StrCat(where, " \"", run.name, "\"");
  ordered_json recipe = defaults;
  if (own != nullptr) {
    RETURN_IF_ERROR(CheckFields(absl::StrCat(place, ": \"recipe\""), *own));
    recipe.update(*own);
  }
  absl::StatusOr<FitOptions> options = ParseRecipe(JsonText(recipe));
  if (!options.ok()) return Bad(place, options.status().message());
  run.options = *std::move(options);
  return run;
}

absl::Status ParseRuns(JsonFields& fields, Plan& plan) {
  // What a recipe that says nothing has is not what fit has (kStraightThrough).
  ordered_json defaults = {{"router_training", FitOptions().router_training}};
  if (const ordered_json* json = fields.Find("defaults")) {
    RETURN_IF_ERROR(CheckFields("plan: \"defaults\"", *json));
    defaults.update(*json);
  }
  for (const ordered_json* json : fields.Items("runs")) {
    if (plan.runs.size() == kMostRuns) {
      return Bad("plan: \"runs\"", absl::StrCat("at most ", kMostRuns));
    }
    const std::string where = absl::StrCat("runs[", plan.runs.size(), "]");
    ASSIGN_OR_RETURN(PlannedRun run, ParseRun(where, *json, defaults));
    if (plan.Find(run.name) != nullptr) {
      return Bad(where, absl::StrCat("there are two runs \"", run.name, "\""));
    }
    plan.runs.push_back(std::move(run));
  }
  if (plan.runs.empty()) return Bad("plan: \"runs\"", "expected at least one");
  return absl::OkStatus();
}

absl::Status CheckSeeds(const std::vector<uint64_t>& seeds) {
  if (seeds.empty() || seeds.size() > kMostSeeds) {
    return Bad("plan: \"seeds\"",
               absl::StrCat("expected 1 to ", kMostSeeds, " numbers"));
  }
  if (std::set<uint64_t>(seeds.begin(), seeds.end()).size() < seeds.size()) {
    return Bad("plan: \"seeds\"", "a seed is there twice");
  }
  return absl::OkStatus();
}

absl::Status CheckRun(const Plan& plan, const std::string& where,
                      const std::string& run) {
  if (plan.Find(run) != nullptr) return absl::OkStatus();
  return Bad(where, absl::StrCat("there is no run \"", run, "\""));
}

absl::Status ParsePairs(JsonFields& fields, Plan& plan) {
  for (const ordered_json* json : fields.Items("pairs")) {
    const std::string where = absl::StrCat("pairs[", plan.pairs.size(), "]");
    PlannedPair pair;
    JsonFields members(*json, where);
    members.Required("baseline", pair.baseline);
    members.Required("against", pair.against);
    RETURN_IF_ERROR(members.Finish());
    RETURN_IF_ERROR(CheckRun(plan, where + ": \"baseline\"", pair.baseline));
    for (const std::string& run : pair.against) {
      RETURN_IF_ERROR(CheckRun(plan, where + ": \"against\"", run));
      if (plan.Find(run)->options.dataset !=
          plan.Find(pair.baseline)->options.dataset) {
        return Bad(where, absl::StrCat("\"", run, "\" and \"", pair.baseline,
                                       "\" have different data sets"));
      }
    }
    plan.pairs.push_back(std::move(pair));
  }
  return absl::OkStatus();
}

absl::Status CheckNumber(const char* name, double value, double most) {
  if (value >= 0 && value <= most) return absl::OkStatus();
  return Bad(absl::StrCat("plan: \"", name, "\""),
             absl::StrCat("expected numbers in [0, ", most, "]"));
}

absl::Status ParseEvaluation(JsonFields& fields, Plan& plan) {
  const ordered_json* json = fields.Find("evaluation");
  if (json == nullptr) return absl::OkStatus();
  JsonFields members(*json, "plan: \"evaluation\"");
  members.Optional("router_noise", plan.router_noise);
  members.Optional("min_confidence", plan.min_confidence);
  members.Optional("reference", plan.reference);
  RETURN_IF_ERROR(members.Finish());
  RETURN_IF_ERROR(CheckNumber("router_noise", plan.router_noise, 100));
  RETURN_IF_ERROR(CheckNumber("min_confidence", plan.min_confidence, 1));
  if (plan.reference.empty()) return absl::OkStatus();
  return CheckRun(plan, "plan: \"reference\"", plan.reference);
}

}  // namespace

const PlannedRun* Plan::Find(absl::string_view run) const {
  for (const PlannedRun& candidate : runs) {
    if (candidate.name == run) return &candidate;
  }
  return nullptr;
}

absl::StatusOr<Plan> ParsePlan(absl::string_view text) {
  ASSIGN_OR_RETURN(const ordered_json json, ParseJson(text, "plan"));
  Plan plan;
  JsonFields fields(json, "plan");
  fields.Required("name", plan.name);
  fields.Optional("title", plan.title);
  fields.Required("seeds", plan.seeds);
  fields.Optional("targets", plan.targets);
  RETURN_IF_ERROR(fields.status());
  RETURN_IF_ERROR(ParseRuns(fields, plan));
  RETURN_IF_ERROR(ParsePairs(fields, plan));
  RETURN_IF_ERROR(ParseEvaluation(fields, plan));
  RETURN_IF_ERROR(fields.Finish());
  RETURN_IF_ERROR(CheckName("plan: \"name\"", plan.name));
  RETURN_IF_ERROR(CheckSeeds(plan.seeds));
  for (const double target : plan.targets) {
    RETURN_IF_ERROR(CheckNumber("targets", target, 1));
  }
  if (plan.title.empty()) plan.title = plan.name;
  return plan;
}

}  // namespace mre
