// What is known of many requests, in fixed memory.
#ifndef MRE_CLIENT_LOADTEST_TALLY_H_
#define MRE_CLIENT_LOADTEST_TALLY_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "client/loadtest/histogram.h"
#include "client/loadtest/record.h"
#include "proto/mre/v1/anytime.pb.h"

namespace mre {

// Not thread-safe. Every request that is added is either ok, and then in one of
// `stops`, or failed, and then in one of `failures`.
struct Tally {
  // Times in nanoseconds, of requests that ended well; the gaps and the time
  // to the first prediction of failed ones too.
  Histogram latency;
  Histogram first_prediction;
  Histogram confidence;  // Only requests that became as sure as asked.
  Histogram step_gap;
  // From due to started: an open loop's only, of all requests.
  Histogram start_delay;

  uint64_t requests = 0;
  uint64_t ok = 0;
  uint64_t good = 0;  // Ended well within the objective.

  struct Failure {
    uint64_t count = 0;
    std::string example;  // One message.
  };
  std::map<v1::StopReason, uint64_t> stops;
  std::map<absl::StatusCode, Failure> failures;

  // Sums over the final predictions.
  uint64_t steps = 0;
  uint64_t macs = 0;
  uint64_t labelled = 0;
  uint64_t right = 0;

  // A request that has ended. `objective` is the longest latency of a good one.
  void Add(const Record& record, Nanos objective);
  void Merge(const Tally& other);

  uint64_t failed() const { return requests - ok; }
};

}  // namespace mre

#endif  // MRE_CLIENT_LOADTEST_TALLY_H_
