// The series of one version of one model. They are on the page from the first
// ServedModel of that name and version until the last is gone: a version that
// is loaded again goes on counting, and one that is unloaded leaves nothing
// behind.
#ifndef MRE_SERVER_METRICS_VERSION_SERIES_H_
#define MRE_SERVER_METRICS_VERSION_SERIES_H_

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/labels.h>
#include <prometheus/registry.h>

#include <cstdint>
#include <functional>
#include <map>

#include "absl/strings/string_view.h"
#include "server/metrics/request_counters.h"

namespace mre {

// Not thread-safe; the series are. The registry outlives it.
class VersionSeries {
 public:
  VersionSeries(absl::string_view model, int64_t version,
                prometheus::Registry& registry);
  VersionSeries(const VersionSeries&) = delete;
  VersionSeries& operator=(const VersionSeries&) = delete;
  // Takes them off the page.
  ~VersionSeries();

  // The series of this name with the version's labels and `more`, made at 0
  // when it is not there yet.
  prometheus::Counter* Counter(const char* name, const char* help,
                               const prometheus::Labels& more = {});
  prometheus::Gauge* Gauge(const char* name, const char* help);
  prometheus::Histogram* Distribution(
      const char* name, const char* help,
      const prometheus::Histogram::BucketBoundaries& buckets);

  // Thread-safe, as all series.
  RequestCounters& requests() { return requests_; }

 private:
  template <typename T>
  T* Keep(prometheus::Family<T>& family, T& series);

  prometheus::Registry& registry_;
  const prometheus::Labels labels_;
  RequestCounters requests_;
  std::map<const void*, std::function<void()>> remove_;
};

}  // namespace mre

#endif  // MRE_SERVER_METRICS_VERSION_SERIES_H_
