// How requests get to the server.
#ifndef MRE_CLIENT_LOADTEST_TRANSPORT_H_
#define MRE_CLIENT_LOADTEST_TRANSPORT_H_

#include <cstdint>

#include "client/cc/async_calls.h"
#include "proto/mre/v1/anytime.pb.h"

namespace mre {

// Thread-safe.
class Transport {
 public:
  virtual ~Transport() = default;

  // Starts `request`, of one row, the run's `index`-th. The listener is told of
  // its updates and of its end, and of that perhaps before this returns.
  virtual void Start(uint64_t index, v1::PredictRequest request,
                     CallListener* listener) = 0;

  // Ends the requests that run now.
  virtual void CancelAll() = 0;
};

}  // namespace mre

#endif  // MRE_CLIENT_LOADTEST_TRANSPORT_H_
