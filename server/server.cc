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
#include "server/metrics/exporter.h"
#include "server/metrics/metrics.h"
#include "server/metrics/process.h"
#include "server/metrics/tcp.h"
#include "server/repository/repository.h"
#include "server/schedule/scheduler.h"
#include "server/service/anytime_service.h"
#include "server/service/inference_service.h"

namespace mre {
namespace {

// Whose health is told, beside the server's own ("").
constexpr const char* kServiceNames[] = {"mre.v1.AnytimeInference",
                                         "inference.GRPCInferenceService"};

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
        context_({.repository = repository_.get(),
                  .scheduler = &scheduler_,
                  .metrics = &metrics_,
                  .calls = &calls_,
                  .updates = &updates_,
                  .infer_responses = &infer_responses_,
                  .max_rows_per_request = config.max_rows_per_request}),
        service_(context_),
        inference_service_(context_) {}

  ~GrpcServer() override {
    if (server_ == nullptr) return;
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
  }

  absl::Status Listen() {
    for (const ServedModel* model : repository_->List()) {
      if (model->ready()) WarmUp(*model);
    }
    RETURN_IF_ERROR(ListenForScrapes());
    RETURN_IF_ERROR(ListenForCalls());
    for (const char* name : kServiceNames) {
      server_->GetHealthCheckService()->SetServingStatus(name, true);
    }
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
    server_->Shutdown(std::chrono::system_clock::now());
    Log(Severity::kInfo, "drained");
  }

  std::string ReadyLine() const override {
    int64_t ready = 0;
    for (const ServedModel* model : repository_->List()) {
      if (model->ready()) ++ready;
    }
    return absl::StrCat("mre-server ready grpc=", Address(grpc_port_),
                        " metrics=", Address(exporter_->port()),
                        " models=", ready);
  }

 private:
  std::string Address(int port) const {
    const bool ipv6 = config_.host.find(':') != std::string::npos;
    return ipv6 ? absl::StrCat("[", config_.host, "]:", port)
                : absl::StrCat(config_.host, ":", port);
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
        Exporter::Start(Address(config_.metrics_port),
                        {metrics_.collectable(), std::move(series)});
    if (!exporter.ok()) return exporter.status();
    exporter_ = *std::move(exporter);
    return absl::OkStatus();
  }

  absl::Status ListenForCalls() {
    // gRPC tells its log why it cannot listen, not us.
    const absl::Status can = CheckCanListen(Address(config_.grpc_port));
    if (!can.ok()) {
      return absl::UnavailableError(
          absl::StrCat("cannot serve gRPC on ", can.message(),
                       "; --grpc_port=0 takes a free port"));
    }
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    // The largest request that could be admitted, as FP32, and room for the
    // rest of the message.
    const int64_t bytes =
        config_.max_rows_per_request * LargestInput(*repository_) * 4 +
        (64 << 10);
    builder.SetMaxReceiveMessageSize(
        static_cast<int>(std::clamp<int64_t>(bytes, 1 << 20, 1 << 30)));
    // Without it two servers could listen on one port and share its clients.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddListeningPort(Address(config_.grpc_port),
                             grpc::InsecureServerCredentials(), &grpc_port_);
    builder.RegisterService(&service_);
    builder.RegisterService(&inference_service_);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || grpc_port_ == 0) {
      return absl::UnavailableError(
          absl::StrCat("cannot serve gRPC on ", Address(config_.grpc_port)));
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
  MessagePool<inference::ModelStreamInferResponse> infer_responses_;
  Scheduler scheduler_;
  const CallContext context_;
  AnytimeService service_;
  InferenceService inference_service_;
  std::unique_ptr<Exporter> exporter_;
  int grpc_port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(
    const ServerConfig& config) {
  // On this thread, which loads and warms up: with more threads than that, on a
  // busy machine, most of the start would be their waiting for each other.
  SetThreads(config.threads);
  ASSIGN_OR_RETURN(auto repository, Repository::Load(config.model_repository,
                                                     ChosenPrecision(config),
                                                     MaxRowBytes(config)));
  auto server = std::make_unique<GrpcServer>(config, std::move(repository));
  RETURN_IF_ERROR(server->Listen());
  return server;
}

}  // namespace mre
