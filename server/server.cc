#include "server/server.h"

#include <grpcpp/ext/channelz_service_plugin.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/clock.h"
#include "model/base/log.h"
#include "model/base/status_macros.h"
#include "model/base/version.h"
#include "model/math/parallel.h"
#include "server/metrics/exporter.h"
#include "server/metrics/metrics.h"
#include "server/metrics/process.h"
#include "server/metrics/tcp.h"
#include "server/models.h"
#include "server/overload_news.h"
#include "server/repository/repository.h"
#include "server/schedule/scheduler.h"
#include "server/service/anytime_service.h"
#include "server/service/grpc_log.h"
#include "server/service/load_report.h"
#include "server/service/request_log.h"
#include "server/ticker.h"

namespace mre {
namespace {

constexpr char kServiceName[] = "mre.v1.AnytimeInference";

// After the drain, how long answers that are complete may take to be sent to
// readers who are slow.
constexpr absl::Duration kLastWrites = absl::Seconds(2);

// What is measured and told once in a while, is so this often.
constexpr absl::Duration kTick = absl::Seconds(1);

int64_t LargestInput(const Repository& repository) {
  int64_t largest = 0;
  for (const ServedModel* model : repository.List()) {
    if (!model->ready()) continue;
    largest = std::max(largest, model->model->config().input.size());
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

// What gRPC would tell only its own log, and before the models take their time
// to load.
absl::Status CheckPorts(const ServerConfig& config) {
  const absl::Status grpc =
      CheckCanListen(Address(config.host, config.grpc_port));
  if (!grpc.ok()) return CannotServe("gRPC", "grpc_port", grpc);
  const absl::Status metrics =
      CheckCanListen(Address(config.host, config.metrics_port));
  if (!metrics.ok()) return CannotServe("metrics", "metrics_port", metrics);
  return absl::OkStatus();
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

class GrpcServer : public Server {
 public:
  GrpcServer(const ServerConfig& config,
             std::unique_ptr<const Repository> repository)
      : config_(config),
        repository_(std::move(repository)),
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
        log_(Logged(config)),
        load_(scheduler_, {.active_rows = config.max_active_rows,
                           .queued_rows = config.max_queued_rows}),
        context_({.repository = repository_.get(),
                  .scheduler = &scheduler_,
                  .metrics = &metrics_,
                  .calls = &calls_,
                  .updates = &updates_,
                  .log = &log_,
                  .load = config.load_reports == "on" ? &load_ : nullptr,
                  .max_rows_per_request = config.max_rows_per_request}),
        service_(context_),
        ticker_(kTick, [this] { Tick(); }) {}

  ~GrpcServer() override {
    if (server_ == nullptr) return;
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
  }

  absl::Status Listen() {
    for (const ServedModel* model : repository_->List()) {
      if (model->ready()) WarmUp(*model);
    }
    load_.Measure();
    RETURN_IF_ERROR(ListenForScrapes());
    RETURN_IF_ERROR(ListenForCalls());
    server_->GetHealthCheckService()->SetServingStatus(kServiceName, true);
    return absl::OkStatus();
  }

  void Drain() override {
    // "" as well.
    server_->GetHealthCheckService()->SetServingStatus(false);
    Log(Severity::kInfo, "draining",
        {{"active_rows", scheduler_.active_rows()},
         {"queued_rows", scheduler_.queued_rows()},
         {"seconds", config_.drain_seconds}});
    calls_.Drain();
    scheduler_.Drain(absl::Seconds(config_.drain_seconds));
    if (!calls_.AwaitNone(kLastWrites)) {
      Log(Severity::kWarning, "cancelling calls whose clients do not read");
    }
    server_->Shutdown(std::chrono::system_clock::now());
    log_.TellLeftOut();
    Log(Severity::kInfo, "drained");
  }

  std::string ReadyLine() const override {
    int64_t ready = 0;
    for (const ServedModel* model : repository_->List()) {
      if (model->ready()) ++ready;
    }
    return absl::StrCat(
        "mre-server ready grpc=", Address(config_.host, grpc_port_),
        " metrics=", Address(config_.host, exporter_->port()),
        " models=", ready);
  }

 private:
  // On the ticker's thread.
  void Tick() {
    log_.TellLeftOut();
    load_.Measure();
    for (const OverloadNews& news :
         overload_.Look(scheduler_.overload(), Clock::Real()->Now())) {
      LogOverload(news);
    }
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
    AddProcessSeries(*series);
    auto exporter =
        Exporter::Start(Address(config_.host, config_.metrics_port),
                        {metrics_.collectable(), std::move(series)});
    if (!exporter.ok()) return exporter.status();
    exporter_ = *std::move(exporter);
    return absl::OkStatus();
  }

  absl::Status ListenForCalls() {
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
    // The largest request that could be admitted, as FP32, and room for the
    // rest of the message.
    const int64_t bytes =
        config_.max_rows_per_request * LargestInput(*repository_) * 4 +
        (64 << 10);
    builder.SetMaxReceiveMessageSize(
        static_cast<int>(std::clamp<int64_t>(bytes, 1 << 20, 1 << 30)));
    // Without it two servers could listen on one port and share its clients.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddListeningPort(Address(config_.host, config_.grpc_port),
                             grpc::InsecureServerCredentials(), &grpc_port_);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || grpc_port_ == 0) {
      return absl::UnavailableError(absl::StrCat(
          "cannot serve gRPC on ", Address(config_.host, config_.grpc_port)));
    }
    return absl::OkStatus();
  }

  // Destroyed in reverse: what calls work on goes after the gRPC server, which
  // the destructor has stopped by then.
  const ServerConfig config_;
  const std::unique_ptr<const Repository> repository_;
  Metrics metrics_;
  OpenCalls calls_;
  MessagePool<v1::PredictUpdate> updates_;
  Scheduler scheduler_;
  RequestLog log_;
  LoadReport load_;
  const CallContext context_;
  AnytimeService service_;
  std::unique_ptr<Exporter> exporter_;
  int grpc_port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  OverloadWatch overload_;  // the ticker's
  Ticker ticker_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(
    const ServerConfig& config) {
  TakeGrpcLog();
  RETURN_IF_ERROR(CheckPorts(config));
  // On this thread, which loads and warms up: with more threads than that, on a
  // busy machine, most of the start would be their waiting for each other.
  SetThreads(config.threads);
  ASSIGN_OR_RETURN(auto repository, LoadModels(config));
  auto server = std::make_unique<GrpcServer>(config, std::move(repository));
  RETURN_IF_ERROR(server->Listen());
  return server;
}

}  // namespace mre
