// Series whose values are read when they are scraped: the usual process_*
// ones, and gauges that others keep.
#ifndef MRE_SERVER_METRICS_PROCESS_H_
#define MRE_SERVER_METRICS_PROCESS_H_

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <functional>
#include <string>
#include <vector>

namespace mre {

// Thread-safe once filled.
class ScrapedSeries : public prometheus::Collectable {
 public:
  // `read` is called on the scraper's thread, at each scrape.
  void AddGauge(std::string name, std::string help,
                std::function<double()> read);
  void AddCounter(std::string name, std::string help,
                  std::function<double()> read);

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  struct Series {
    std::string name;
    std::string help;
    prometheus::MetricType type;
    std::function<double()> read;
  };
  std::vector<Series> series_;
};

// Adds process_cpu_seconds_total, process_resident_memory_bytes,
// process_virtual_memory_bytes, process_open_fds, process_max_fds,
// process_threads and process_start_time_seconds of this process.
void AddProcessSeries(ScrapedSeries& series);

}  // namespace mre

#endif  // MRE_SERVER_METRICS_PROCESS_H_
