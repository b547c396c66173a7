#include "server/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/log.h"
#include "model/base/status_macros.h"
#include "model/base/version.h"
#include "model/math/parallel.h"
#include "server/door/acceptor.h"
#include "server/door/connections.h"
#include "server/door/door.h"
#include "server/door/exposure.h"
#include "server/door/limits.h"
#include "server/door/listener.h"
#include "server/metrics/exporter.h"
#include "server/metrics/metrics.h"
#include "server/metrics/process.h"
#include "server/metrics/tcp.h"
#include "server/repository/repository.h"
#include "server/schedule/scheduler.h"
#include "server/service/anytime_service.h"

namespace mre {
namespace {

constexpr char kServiceName[] = "mre.v1.AnytimeInference";

// After the drain, how long answers that are complete may take to be sent to
// readers who are slow.
constexpr absl::Duration kLastWrites = absl::Seconds(2);

int64_t LargestInput(const Repository& repository) {
  int64_t largest = 0;
  for (const ServedModel* model : repository.List()) {
    if (!model->ready()) continue;
    largest = std::max(largest, model->model->config().input.size());
  }
  return largest;
}

// One row through every step: touches the weights that it uses, and shows that
// the model runs before anyone is told that it is ready.
void WarmUp(const ServedModel& served) {
  const std::unique_ptr<Engine> engine = Engine::Create(served.model);
  const std::vector<float> input(served.model->config().input.size(), 0.0f);
  const int row = engine->Begin(input, {});
  do {
    engine->Step({&row, 1});
  } while (!engine->progress(row).exhausted);
}

// What a row may take (PackedModel::RowBytes) so that all rows that may be
// alive fill half of the machine's memory at most, grown by doubling.
int64_t MaxRowBytes(const ServerConfig& config) {
  const int64_t memory =
      int64_t{sysconf(_SC_PHYS_PAGES)} * int64_t{sysconf(_SC_PAGE_SIZE)};
  return memory / 4 / (config.max_active_rows + config.max_queued_rows);
}

BrownoutOptions Brownout(const ServerConfig& config) {
  return {.on = config.brownout == "on",
          .begin = absl::Milliseconds(config.brownout_begin_ms),
          .full = absl::Milliseconds(config.brownout_full_ms),
          .end = absl::Milliseconds(config.brownout_end_ms),
          .floor = config.brownout_floor};
}

class GrpcServer : public Server {
 public:
  GrpcServer(const ServerConfig& config, std::unique_ptr<Door> door,
             std::unique_ptr<const Repository> repository)
      : config_(config),
        door_(std::move(door)),
        repository_(std::move(repository)),
        connections_(
            ConnectionLimit(config.door.max_connections, RaiseFileLimit())),
        metrics_(*repository_, kVersion),
        scheduler_({.max_active_rows = config.max_active_rows,
                    .max_queued_rows = config.max_queued_rows,
                    .max_wait = config.max_queue_ms == 0
                                    ? absl::InfiniteDuration()
                                    : absl::Milliseconds(config.max_queue_ms),
                    .stall_limit = config.stall_seconds == 0
                                       ? absl::InfiniteDuration()
                                       : absl::Seconds(config.stall_seconds),
                    .brownout = Brownout(config),
                    .threads = config.threads}),
        context_({.door = door_.get(),
                  .repository = repository_.get(),
                  .scheduler = &scheduler_,
                  .metrics = &metrics_,
                  .calls = &calls_,
                  .updates = &updates_,
                  .max_rows_per_request = config.max_rows_per_request}),
        service_(context_) {}

  ~GrpcServer() override {
    if (server_ == nullptr) return;
    if (acceptor_ != nullptr) acceptor_->Stop();
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
  }

  absl::Status Listen() {
    for (const ServedModel* model : repository_->List()) {
      if (model->ready()) WarmUp(*model);
    }
    if (connections_.limit() < config_.door.max_connections) {
      Log(Severity::kWarning,
          absl::StrCat("--max_connections=", config_.door.max_connections,
                       " is lowered to ", connections_.limit(),
                       ": the process may not open more files (ulimit -Hn)"));
    }
    RETURN_IF_ERROR(ListenForScrapes());
    RETURN_IF_ERROR(ListenForCalls());
    server_->GetHealthCheckService()->SetServingStatus(kServiceName, true);
    return absl::OkStatus();
  }

  void Drain() override {
    // "" as well.
    server_->GetHealthCheckService()->SetServingStatus(false);
    Log(Severity::kInfo,
        absl::StrCat("draining: ", scheduler_.active_rows(), " active and ",
                     scheduler_.queued_rows(), " queued rows have up to ",
                     config_.drain_seconds, " s"));
    calls_.Drain();
    scheduler_.Drain(absl::Seconds(config_.drain_seconds));
    if (!calls_.AwaitNone(kLastWrites)) {
      Log(Severity::kWarning, "cancelling calls whose clients do not read");
    }
    acceptor_->Stop();
    server_->Shutdown(std::chrono::system_clock::now());
    Log(Severity::kInfo, "drained");
  }

  std::string ReadyLine() const override {
    int64_t ready = 0;
    for (const ServedModel* model : repository_->List()) {
      if (model->ready()) ++ready;
    }
    return absl::StrCat(
        "mre-server ready grpc=", Address(config_.host, acceptor_->port()),
        " metrics=", Address(MetricsHost(), exporter_->port()),
        " models=", ready);
  }

 private:
  static std::string Address(const std::string& host, int port) {
    const bool ipv6 = host.find(':') != std::string::npos;
    return ipv6 ? absl::StrCat("[", host, "]:", port)
                : absl::StrCat(host, ":", port);
  }

  const std::string& MetricsHost() const {
    return config_.metrics_host.empty() ? config_.host : config_.metrics_host;
  }

  void AddDoorSeries(ScrapedSeries& series) {
    series.AddGauge("mre_connections", "Connections that are open.", [this] {
      return static_cast<double>(connections_.open());
    });
    series.AddCounter(
        "mre_connections_refused_total",
        "Connections that were reset, for there was no room for them.",
        [this] { return static_cast<double>(connections_.refused()); });
    if (!door_->certificate_expiry().has_value()) return;
    series.AddGauge(
        "mre_tls_certificate_expiry_seconds",
        "When the certificate that is served expires, in seconds of Unix time.",
        [this] {
          return absl::ToDoubleSeconds(*door_->certificate_expiry() -
                                       absl::UnixEpoch());
        });
  }

  absl::Status ListenForScrapes() {
    auto series = std::make_shared<ScrapedSeries>();
    // Read in this order, a row that is just starting is never missed.
    series->AddGauge("mre_queued_rows", "Rows that wait for a place.", [this] {
      return static_cast<double>(scheduler_.queued_rows());
    });
    series->AddGauge(
        "mre_active_rows",
        "Rows that have begun and not ended; those that pause for their reader "
        "included, so that there may be more than --max_active_rows.",
        [this] { return static_cast<double>(scheduler_.active_rows()); });
    series->AddGauge(
        "mre_untold_requests",
        "Requests that are complete and wait to be written.",
        [this] { return static_cast<double>(scheduler_.untold_requests()); });
    AddDoorSeries(*series);
    AddProcessSeries(*series);
    auto exporter =
        Exporter::Start(Address(MetricsHost(), config_.metrics_port),
                        {metrics_.collectable(), std::move(series)});
    if (!exporter.ok()) return exporter.status();
    exporter_ = *std::move(exporter);
    return absl::OkStatus();
  }

  absl::Status ListenForCalls() {
    const std::string address = Address(config_.host, config_.grpc_port);
    const auto cannot = [](absl::string_view why) {
      return absl::UnavailableError(absl::StrCat(
          "cannot serve gRPC on ", why, "; --grpc_port=0 takes a free port"));
    };
    // The listener is content with one of several addresses of a name.
    const absl::Status can = CheckCanListen(address);
    if (!can.ok()) return cannot(can.message());
    auto listener =
        Listener::Open(config_.host, config_.grpc_port,
                       absl::Seconds(config_.door.keepalive_timeout_seconds));
    if (!listener.ok()) return cannot(listener.status().message());
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    // As FP32, and room for the rest of the message.
    ApplyLimits(config_.door,
                config_.max_rows_per_request * LargestInput(*repository_) * 4 +
                    (64 << 10),
                builder);
    entrance_ = builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
        door_->Credentials());
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr) return cannot(address);
    acceptor_ = std::make_unique<Acceptor>(
        *std::move(listener), &connections_,
        [this](int listening, int connection) {
          grpc::experimental::ExternalConnectionAcceptor::
              NewConnectionParameters taken;
          taken.listener_fd = listening;
          taken.fd = connection;
          entrance_->HandleNewConnection(&taken);
        });
    return absl::OkStatus();
  }

  // Destroyed in reverse: what calls work on goes after the gRPC server, which
  // the destructor has stopped by then.
  const ServerConfig config_;
  const std::unique_ptr<Door> door_;
  const std::unique_ptr<const Repository> repository_;
  Connections connections_;
  Metrics metrics_;
  OpenCalls calls_;
  MessagePool<v1::PredictUpdate> updates_;
  Scheduler scheduler_;
  const CallContext context_;
  AnytimeService service_;
  std::unique_ptr<Exporter> exporter_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> entrance_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Acceptor> acceptor_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(
    const ServerConfig& config) {
  // What is wrong with it is known at once, before models are loaded.
  RETURN_IF_ERROR(CheckExposure(config.door, config.host));
  ASSIGN_OR_RETURN(auto door, Door::Open(config.door));
  for (const std::string& warning :
       ExposureWarnings(config.door, config.host)) {
    Log(Severity::kWarning, warning);
  }
  // On this thread, which loads and warms up: with more threads than that, on a
  // busy machine, most of the start would be their waiting for each other.
  SetThreads(config.threads);
  ASSIGN_OR_RETURN(auto repository, Repository::Load(config.model_repository,
                                                     ChosenPrecision(config),
                                                     MaxRowBytes(config)));
  auto server = std::make_unique<GrpcServer>(config, std::move(door),
                                             std::move(repository));
  RETURN_IF_ERROR(server->Listen());
  return server;
}

}  // namespace mre
