#include "server/metrics/exporter.h"

#include <atomic>
#include <exception>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "model/base/listen_error.h"
#include "server/metrics/tcp.h"

namespace mre {
namespace {

constexpr char kThreads[] = "2";
constexpr char kTimeoutMs[] = "2000";

}  // namespace

Exporter::Exporter(
    std::unique_ptr<prometheus::Exposer> exposer, std::string address, int port,
    std::vector<std::shared_ptr<prometheus::Collectable>> collectables)
    : collectables_(std::move(collectables)),
      exposer_(std::move(exposer)),
      address_(std::move(address)),
      port_(port) {
  for (const auto& collectable : collectables_) {
    exposer_->RegisterCollectable(collectable);
  }
}

Exporter::~Exporter() {
  // The exposer's thread looks only every two seconds whether it is to end,
  // unless somebody connects.
  std::atomic<bool> ended = false;
  std::thread waker([&] {
    while (!ended.load()) {
      ConnectOnce(address_);
      absl::SleepFor(absl::Milliseconds(10));
    }
  });
  exposer_.reset();
  ended.store(true);
  waker.join();
}

absl::StatusOr<std::unique_ptr<Exporter>> Exporter::Start(
    const std::string& address,
    std::vector<std::shared_ptr<prometheus::Collectable>> collectables) {
  // The library's own error does not say why.
  const absl::Status can = CheckCanListen(address);
  if (!can.ok()) {
    return CannotServe("metrics", "metrics_port", can);
  }
  try {
    // A connection that says nothing holds a thread, but not for long.
    auto exposer = std::make_unique<prometheus::Exposer>(
        std::vector<std::string>{"listening_ports", address,  //
                                 "num_threads", kThreads,     //
                                 "request_timeout_ms", kTimeoutMs});
    const std::vector<int> ports = exposer->GetListeningPorts();
    if (ports.empty()) {
      return absl::UnavailableError(absl::StrCat("cannot listen on ", address));
    }
    const std::string listening =
        absl::StrCat(address.substr(0, address.rfind(':')), ":", ports[0]);
    return std::unique_ptr<Exporter>(new Exporter(
        std::move(exposer), listening, ports[0], std::move(collectables)));
  } catch (const std::exception& error) {
    return absl::UnavailableError(
        absl::StrCat("cannot serve metrics on ", address, ": ", error.what()));
  }
}

}  // namespace mre
