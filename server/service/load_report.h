// Per-call load reports: how busy this server is, in the trailing metadata
// `endpoint-load-metrics-bin` of each call, for balancers that weigh their
// servers. (gRPC's header promises to send them, call_metric_recorder.h, but
// Debian's libgrpc++ lacks EnableCallMetricRecording.)
#ifndef MRE_SERVER_SERVICE_LOAD_REPORT_H_
#define MRE_SERVER_SERVICE_LOAD_REPORT_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "server/schedule/scheduler.h"

namespace mre {

// What a report says. Shares are of 1.
struct Load {
  double cpu = 0;
  double memory = 0;
  double active_rows = 0;  // of their limit
  double queued_rows = 0;  // of their limit
  double macs = 0;         // of the call that is answered
};

// The message xds.data.orca.v3.OrcaLoadReport: cpu_utilization = 1,
// mem_utilization = 2, request_cost = 4 {"macs"}, utilization = 5
// {"active_rows", "queued_rows"}.
std::string EncodeLoad(const Load& load);

// Thread-safe but for Measure.
class LoadReport {
 public:
  // Of what a full server has; both above 0.
  struct Limits {
    int64_t active_rows;
    int64_t queued_rows;
  };

  // The scheduler outlives it.
  LoadReport(const Scheduler& scheduler, const Limits& limits)
      : scheduler_(scheduler), limits_(limits) {}

  // Measures the process: its CPU time since the last call, of all the cores it
  // may use, and its resident memory, of the machine's. To be called about once
  // a second, from one thread.
  void Measure();

  // Leaves a report in the call's trailer. REQUIRES: the call is not finished.
  void Record(uint64_t macs, grpc::CallbackServerContext& rpc) const;

 private:
  const Scheduler& scheduler_;
  const Limits limits_;
  std::atomic<double> cpu_{0};
  std::atomic<double> memory_{0};
  // Measure's.
  absl::Time measured_ = absl::InfinitePast();
  absl::Duration cpu_time_;
};

}  // namespace mre

#endif  // MRE_SERVER_SERVICE_LOAD_REPORT_H_
