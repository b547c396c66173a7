#include "server/server.h"

#include <grpc/grpc.h>
#include <grpcpp/ext/channelz_service_plugin.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "model/base/clock.h"
#include "model/base/listen_error.h"
#include "model/base/log.h"
#include "model/base/status_macros.h"
#include "model/base/ticker.h"
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
#include "server/metrics/repository_series.h"
#include "server/metrics/tcp.h"
#include "server/models.h"
#include "server/overload_news.h"
#include "server/repository/repository.h"
#include "server/schedule/scheduler.h"
#include "server/service/anytime_service.h"
#include "server/service/inference_service.h"
#include "server/service/library_logs.h"
#include "server/service/load_report.h"
#include "server/service/request_log.h"

namespace mre {
namespace {

// Whose health is told, beside the server's own ("").
constexpr const char* kServiceNames[] = {"mre.v1.AnytimeInference",
                                         "inference.GRPCInferenceService"};

// How long answers that are complete when the drain is over may take to be sent
// to readers who are slow.
constexpr absl::Duration kLastWrites = absl::Seconds(2);

// What is measured and told once in a while, is so this often.
constexpr absl::Duration kTick = absl::Seconds(1);

// Models that are loaded later may be larger than those that are here.
constexpr int64_t kLeastMessage = 16 << 20;

int64_t LargestInput(const Repository& repository) {
  int64_t largest = 0;
  for (const VersionStatus& status : repository.List()) {
    if (status.served == nullptr) continue;
    largest = std::max(largest, status.served->model->config().input.size());
  }
  return largest;
}

BrownoutOptions Brownout(const ServerConfig& config) {
  return {.on = config.brownout == "on",
          .begin = absl::Milliseconds(config.brownout_begin_ms),
          .full = absl::Milliseconds(config.brownout_full_ms),
          .end = absl::Milliseconds(config.brownout_end_ms),
          .floor = config.brownout_floor};
}

LoggedRequests Logged(const ServerConfig& config) {
  if (config.log_requests == "none") return LoggedRequests::kNone;
  return config.log_requests == "all" ? LoggedRequests::kAll
                                      : LoggedRequests::kErrors;
}

grpc_compression_algorithm Compression(const ServerConfig& config) {
  if (config.response_compression == "gzip") return GRPC_COMPRESS_GZIP;
  return config.response_compression == "deflate" ? GRPC_COMPRESS_DEFLATE
                                                  : GRPC_COMPRESS_NONE;
}

std::string Address(const std::string& host, int port) {
  const bool ipv6 = host.find(':') != std::string::npos;
  return ipv6 ? absl::StrCat("[", host, "]:", port)
              : absl::StrCat(host, ":", port);
}

const std::string& MetricsHost(const ServerConfig& config) {
  return config.metrics_host.empty() ? config.host : config.metrics_host;
}

// What cannot be had is told before the models take their time to load.
absl::StatusOr<Listener> TakePort(const ServerConfig& config) {
  const absl::Status metrics =
      CheckCanListen(Address(MetricsHost(config), config.metrics_port));
  if (!metrics.ok()) return CannotServe("metrics", "metrics_port", metrics);
  auto listener =
      Listener::Bind(config.host, config.grpc_port,
                     absl::Seconds(config.door.keepalive_timeout_seconds));
  if (!listener.ok()) {
    return CannotServe("gRPC", "grpc_port", listener.status());
  }
  return listener;
}

// Linking the reflection library is enough to have it in every server.
class WithoutReflection : public grpc::ServerBuilderOption {
 public:
  void UpdateArguments(grpc::ChannelArguments* /*arguments*/) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>*
                         plugins) override {
    std::erase_if(*plugins, [](const auto& plugin) {
      return dynamic_cast<grpc::reflection::ProtoServerReflectionPlugin*>(
                 plugin.get()) != nullptr;
    });
  }
};

class GrpcServer : public Server, private Repository::Observer {
 public:
  GrpcServer(const ServerConfig& config, std::unique_ptr<Door> door)
      : config_(config),
        door_(std::move(door)),
        connections_(
            ConnectionLimit(config.door.max_connections, RaiseFileLimit())),
        metrics_(kVersion),
        calls_(config.stall_seconds == 0 ? absl::InfiniteDuration()
                                         : absl::Seconds(config.stall_seconds)),
        scheduler_({.max_active_rows = config.max_active_rows,
                    .max_queued_rows = config.max_queued_rows,
                    .max_wait = config.max_queue_ms == 0
                                    ? absl::InfiniteDuration()
                                    : absl::Milliseconds(config.max_queue_ms),
                    .brownout = Brownout(config),
                    .threads = config.threads}),
        log_(Logged(config)),
        load_(scheduler_, {.active_rows = config.max_active_rows,
                           .queued_rows = config.max_queued_rows}),
        context_({.door = door_.get(),
                  .scheduler = &scheduler_,
                  .metrics = &metrics_,
                  .calls = &calls_,
                  .updates = &updates_,
                  .infer_responses = &infer_responses_,
                  .log = &log_,
                  .load = config.load_reports == "on" ? &load_ : nullptr,
                  .max_rows_per_request = config.max_rows_per_request}),
        service_(context_),
        inference_service_(context_) {}

  ~GrpcServer() override {
    if (server_ == nullptr) return;
    if (acceptor_ != nullptr) acceptor_->Stop();
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
  }

  absl::Status LoadModels() {
    ASSIGN_OR_RETURN(repository_, OpenRepository(config_, this));
    context_.repository = repository_.get();
    return absl::OkStatus();
  }

  absl::Status Listen(Listener listener) {
    load_.Measure();
    ticker_ = std::make_unique<Ticker>(kTick, [this] { Tick(); });
    if (connections_.limit() < config_.door.max_connections) {
      Log(Severity::kWarning,
          absl::StrCat("--max_connections=", config_.door.max_connections,
                       " is lowered to ", connections_.limit(),
                       ": the process may not open more files (ulimit -Hn)"));
    }
    RETURN_IF_ERROR(ListenForScrapes());
    RETURN_IF_ERROR(ListenForCalls(std::move(listener)));
    for (const char* name : kServiceNames) {
      server_->GetHealthCheckService()->SetServingStatus(name, true);
    }
    return absl::OkStatus();
  }

  void Drain() override {
    calls_.TellLeaving();
    // "" as well.
    server_->GetHealthCheckService()->SetServingStatus(false);
    if (config_.drain_delay_seconds > 0) {
      Log(Severity::kInfo, "leaving: not ready any more, but still serving",
          {{"seconds", config_.drain_delay_seconds}});
      absl::SleepFor(absl::Seconds(config_.drain_delay_seconds));
    }
    Log(Severity::kInfo, "draining",
        {{"active_rows", scheduler_.active_rows()},
         {"queued_rows", scheduler_.queued_rows()},
         {"seconds", config_.drain_seconds}});
    const Clock& clock = *Clock::Real();
    const absl::Time deadline =
        clock.Now() + absl::Seconds(config_.drain_seconds);
    repository_->Stop();
    calls_.Drain();
    scheduler_.Drain(deadline - clock.Now());
    if (!calls_.AwaitNone(std::max(kLastWrites, deadline - clock.Now()))) {
      Log(Severity::kWarning, "cancelling the calls that are still open");
    }
    acceptor_->Stop();
    server_->Shutdown(std::chrono::system_clock::now());
    log_.TellLeftOut();
    Log(Severity::kInfo, "drained");
  }

  std::string ReadyLine() const override {
    int64_t ready = 0;
    for (const VersionStatus& status : repository_->List()) {
      if (status.served != nullptr) ++ready;
    }
    return absl::StrCat(
        "mre-server ready grpc=", Address(config_.host, acceptor_->port()),
        " metrics=", Address(MetricsHost(config_), exporter_->port()),
        " models=", ready);
  }

 private:
  void Added(const ServedModel& served) override { metrics_.Add(served); }
  void Retired(const ServedModel& served) override {
    scheduler_.Forget(served.model.get());
  }
  void Removed(const ServedModel* served) override { metrics_.Remove(served); }

  // On the ticker's thread.
  void Tick() {
    log_.TellLeftOut();
    load_.Measure();
    calls_.CutOffStalled();
    scheduler_.Wake();
    for (const OverloadNews& news :
         overload_.Look(scheduler_.overload(), Clock::Real()->Now())) {
      LogOverload(news);
    }
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
        Exporter::Start(Address(MetricsHost(config_), config_.metrics_port),
                        {metrics_.collectable(), std::move(series),
                         std::make_shared<RepositorySeries>(*repository_)});
    if (!exporter.ok()) return exporter.status();
    exporter_ = *std::move(exporter);
    return absl::OkStatus();
  }

  absl::Status ListenForCalls(Listener listener) {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    if (config_.channelz == "on") {
      grpc::channelz::experimental::InitChannelzService();
    }
    grpc::ServerBuilder builder;
    builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ,
                               config_.channelz == "on" ? 1 : 0);
    if (config_.reflection == "off") {
      builder.SetOption(std::make_unique<WithoutReflection>());
    }
    builder.SetDefaultCompressionAlgorithm(Compression(config_));
    if (config_.accept_compression == "off") {
      for (const auto algorithm : {GRPC_COMPRESS_GZIP, GRPC_COMPRESS_DEFLATE}) {
        builder.SetCompressionAlgorithmSupportStatus(algorithm, false);
      }
    }
    // As FP32, and room for the rest of the message.
    const int64_t bytes =
        config_.max_rows_per_request * LargestInput(*repository_) * 4 +
        (64 << 10);
    const int64_t least =
        ModelControl(config_) == Repository::Control::kNone ? 0 : kLeastMessage;
    ApplyLimits(config_.door, std::max(bytes, least), builder);
    entrance_ = builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
        door_->Credentials());
    builder.RegisterService(&service_);
    builder.RegisterService(&inference_service_);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr) {
      return absl::UnavailableError("cannot serve gRPC: see the log");
    }
    const absl::Status listens = listener.Listen();
    if (!listens.ok()) return CannotServe("gRPC", "grpc_port", listens);
    acceptor_ = std::make_unique<Acceptor>(
        std::move(listener), &connections_,
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
  Connections connections_;
  Metrics metrics_;
  OpenCalls calls_;
  MessagePool<v1::PredictUpdate> updates_;
  MessagePool<inference::ModelStreamInferResponse> infer_responses_;
  Scheduler scheduler_;
  RequestLog log_;
  LoadReport load_;
  CallContext context_;  // constant once the models are loaded
  std::unique_ptr<Repository> repository_;
  AnytimeService service_;
  InferenceService inference_service_;
  std::unique_ptr<Exporter> exporter_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> entrance_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Acceptor> acceptor_;
  OverloadWatch overload_;  // the ticker's
  std::unique_ptr<Ticker> ticker_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(
    const ServerConfig& config) {
  TakeLibraryLogs();
  // Never paired with a grpc_shutdown(), which the last server would else bring
  // about, and in which gRPC 1.51 often waits ten seconds after streams have
  // stood unread.
  grpc_init();
  ASSIGN_OR_RETURN(Listener listener, TakePort(config));
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
  auto server = std::make_unique<GrpcServer>(config, std::move(door));
  RETURN_IF_ERROR(server->LoadModels());
  RETURN_IF_ERROR(server->Listen(std::move(listener)));
  return server;
}

}  // namespace mre
