#include "server/metrics/version_series.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace mre {

VersionSeries::VersionSeries(absl::string_view model, int64_t version,
                             prometheus::Registry& registry)
    : registry_(registry),
      labels_(
          {{"model", std::string(model)}, {"version", absl::StrCat(version)}}),
      requests_(RequestsFamily(registry), labels_) {}

VersionSeries::~VersionSeries() {
  for (const auto& [series, remove] : remove_) remove();
}

template <typename T>
T* VersionSeries::Keep(prometheus::Family<T>& family, T& series) {
  remove_[&series] = [&family, &series] { family.Remove(&series); };
  return &series;
}

prometheus::Counter* VersionSeries::Counter(const char* name, const char* help,
                                            const prometheus::Labels& more) {
  prometheus::Labels all = labels_;
  all.insert(more.begin(), more.end());
  auto& family =
      prometheus::BuildCounter().Name(name).Help(help).Register(registry_);
  return Keep(family, family.Add(all));
}

prometheus::Gauge* VersionSeries::Gauge(const char* name, const char* help) {
  auto& family =
      prometheus::BuildGauge().Name(name).Help(help).Register(registry_);
  return Keep(family, family.Add(labels_));
}

prometheus::Histogram* VersionSeries::Distribution(
    const char* name, const char* help,
    const prometheus::Histogram::BucketBoundaries& buckets) {
  auto& family =
      prometheus::BuildHistogram().Name(name).Help(help).Register(registry_);
  return Keep(family, family.Add(labels_, buckets));
}

}  // namespace mre
