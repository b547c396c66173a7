#include "client/loadtest/class_mix.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "model/base/rng.h"
#include "model/base/status_macros.h"

namespace mre {
namespace {

// So that a class's draws are not those of the arrivals' gaps.
constexpr uint64_t kSalt = 0x636c617373;

absl::Status Wrong(absl::string_view text, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("--class \"", text, "\": ", what));
}

}  // namespace

absl::StatusOr<ClientClass> ParseClass(absl::string_view text) {
  const std::vector<absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits(':', 2));
  if (parts.size() < 2 || parts[0].empty()) {
    return Wrong(text,
                 "expected NAME:SHARE or NAME:SHARE:FIELD=VALUE,..., such as "
                 "fast:3:max_steps=2,max_time=5ms");
  }
  ClientClass result;
  result.name = std::string(parts[0]);
  if (!absl::SimpleAtod(parts[1], &result.share) ||
      !std::isfinite(result.share) || result.share <= 0) {
    return Wrong(text, absl::StrCat("the share is \"", parts[1],
                                    "\", not a number above 0"));
  }
  BudgetFlags flags;
  if (parts.size() == 3 && !parts[2].empty()) {
    auto fields = ParseBudgetFields(parts[2]);
    if (!fields.ok()) return Wrong(text, fields.status().message());
    flags = *std::move(fields);
  }
  auto budget = MakeBudget(flags);
  if (!budget.ok()) return Wrong(text, budget.status().message());
  result.budget = *std::move(budget);
  return result;
}

absl::StatusOr<ClassMix> ClassMix::Make(const std::vector<std::string>& classes,
                                        const BudgetFlags& plain) {
  if (classes.empty()) {
    ClientClass all;
    all.name = "default";
    ASSIGN_OR_RETURN(all.budget, MakeBudget(plain));
    return ClassMix({std::move(all)});
  }
  if (!(plain == BudgetFlags())) {
    return absl::InvalidArgumentError(
        "a budget goes into each --class, or stands alone without any --class; "
        "here are both");
  }
  std::vector<ClientClass> parsed;
  for (const std::string& text : classes) {
    ASSIGN_OR_RETURN(ClientClass next, ParseClass(text));
    for (const ClientClass& other : parsed) {
      if (other.name != next.name) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("two of --class have the name ", next.name));
    }
    parsed.push_back(std::move(next));
  }
  return ClassMix(std::move(parsed));
}

ClassMix::ClassMix(std::vector<ClientClass> classes)
    : classes_(std::move(classes)) {
  double sum = 0;
  for (const ClientClass& one : classes_) upto_.push_back(sum += one.share);
}

size_t ClassMix::ClassOf(uint64_t seed, uint64_t index) const {
  const double draw = ToUnit(Mix64(Mix64(seed ^ kSalt) + index)) * upto_.back();
  const auto found = std::upper_bound(upto_.begin(), upto_.end(), draw);
  const auto place = static_cast<size_t>(found - upto_.begin());
  return std::min(place, classes_.size() - 1);
}

}  // namespace mre
