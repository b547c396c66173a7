#include "client/cc/async_calls.h"

#include <deque>
#include <unordered_set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/memory/memory.h"
#include "absl/synchronization/mutex.h"
#include "client/cc/connection.h"
#include "client/cc/rpc_status.h"

namespace mre {

// The calls in flight: first those with a context to cancel, then, until
// Gone(), those that only have to be destroyed.
class AsyncCalls::Registry {
 public:
  void Add(grpc::ClientContext* context) {
    absl::MutexLock lock(&mu_);
    contexts_.insert(context);
    ++calls_;
  }
  // From now on the context is not touched.
  void Remove(grpc::ClientContext* context) {
    absl::MutexLock lock(&mu_);
    contexts_.erase(context);
  }
  // The call is destroyed. A context holds its channel, which must not outlive
  // the client: the last to let go of it waits for gRPC's threads, so one of
  // these would wait for itself.
  void Gone() {
    absl::MutexLock lock(&mu_);
    --calls_;
  }
  void CancelAll() {
    absl::MutexLock lock(&mu_);
    for (grpc::ClientContext* context : contexts_) context->TryCancel();
  }
  // Cancels over and over: an OnDone may have started another call.
  void CancelAndWait() {
    absl::MutexLock lock(&mu_);
    while (calls_ > 0) {
      for (grpc::ClientContext* context : contexts_) context->TryCancel();
      mu_.AwaitWithTimeout(absl::Condition(this, &Registry::Empty),
                           absl::Milliseconds(10));
    }
  }

 private:
  bool Empty() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return calls_ == 0; }

  absl::Mutex mu_;
  std::unordered_set<grpc::ClientContext*> contexts_ ABSL_GUARDED_BY(mu_);
  size_t calls_ ABSL_GUARDED_BY(mu_) = 0;
};

// Owns itself from its start until its listener's OnDone returns.
class AsyncCalls::Call {
 public:
  Call(Registry* registry, v1::PredictRequest request, CallListener* listener)
      : request_(std::move(request)),
        listener_(listener),
        registry_(registry) {}
  virtual ~Call() = default;

 protected:
  void Begin(const Connection& connection, const CallOptions& options) {
    connection.Configure(options, context_);
    registry_->Add(&context_);
  }
  void End(const grpc::Status& status) {
    listener_->OnDone(FromRpcStatus(status, context_));
    Registry* const registry = registry_;
    registry->Remove(&context_);
    delete this;
    registry->Gone();
  }

  grpc::ClientContext context_;
  const v1::PredictRequest request_;
  CallListener* const listener_;
  v1::PredictUpdate update_;

 private:
  Registry* const registry_;
};

class AsyncCalls::PredictCall : public Call {
 public:
  using Call::Call;

  void Start(const Connection& connection, const CallOptions& options) {
    Begin(connection, options);
    const auto done = [this](const grpc::Status& status) {
      if (status.ok()) listener_->OnUpdate(update_);
      End(status);
    };
    connection.stub().async()->Predict(&context_, &request_, &update_, done);
  }
};

class AsyncCalls::StreamCall
    : public Call,
      public grpc::ClientReadReactor<v1::PredictUpdate> {
 public:
  using Call::Call;

  void Start(const Connection& connection, const CallOptions& options) {
    Begin(connection, options);
    connection.stub().async()->PredictStream(&context_, &request_, this);
    StartRead(&update_);
    StartCall();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    listener_->OnUpdate(update_);
    StartRead(&update_);
  }

  void OnDone(const grpc::Status& status) override { End(status); }
};

// A hold keeps OnDone away until the last read has failed, so that Open may
// start a write at any time before.
class AsyncSession::Stream
    : public grpc::ClientBidiReactor<v1::PredictControl, v1::PredictUpdate> {
 public:
  explicit Stream(CallListener* listener) : listener_(listener) {}

  void Start(const Connection& connection, const CallOptions& options) {
    connection.Configure(options, context_);
    connection.stub().async()->PredictInteractive(&context_, this);
    AddHold();
    StartRead(&update_);
    StartCall();
  }

  absl::Status Open(const v1::PredictRequest& request) {
    if (request.request_id().empty()) {
      return absl::InvalidArgumentError("request_id is empty");
    }
    auto control = std::make_unique<v1::PredictControl>();
    control->set_request_id(request.request_id());
    *control->mutable_open() = request;
    absl::MutexLock lock(&mu_);
    if (ended_) return absl::UnavailableError("the stream has ended");
    waiting_.push_back(std::move(control));
    if (waiting_.size() == 1) StartWrite(waiting_.front().get());
    return absl::OkStatus();
  }

  void Cancel() { context_.TryCancel(); }

  void CancelAndWait() {
    Cancel();
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(&done_));
  }

  void OnWriteDone(bool ok) override {
    absl::MutexLock lock(&mu_);
    waiting_.pop_front();
    if (!ok || ended_) {
      waiting_.clear();
    } else if (!waiting_.empty()) {
      StartWrite(waiting_.front().get());
    }
  }

  void OnReadDone(bool ok) override {
    if (ok) {
      listener_->OnUpdate(update_);
      StartRead(&update_);
      return;
    }
    {
      absl::MutexLock lock(&mu_);
      ended_ = true;
    }
    RemoveHold();
  }

  void OnDone(const grpc::Status& status) override {
    listener_->OnDone(FromRpcStatus(status, context_));
    absl::MutexLock lock(&mu_);
    done_ = true;
  }

 private:
  CallListener* const listener_;
  grpc::ClientContext context_;
  v1::PredictUpdate update_;

  absl::Mutex mu_;
  // The first is being written.
  std::deque<std::unique_ptr<v1::PredictControl>> waiting_ ABSL_GUARDED_BY(mu_);
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  bool done_ ABSL_GUARDED_BY(mu_) = false;
};

AsyncSession::AsyncSession(std::unique_ptr<Stream> stream)
    : stream_(std::move(stream)) {}

AsyncSession::~AsyncSession() { stream_->CancelAndWait(); }

absl::Status AsyncSession::Open(const v1::PredictRequest& request) {
  return stream_->Open(request);
}

void AsyncSession::Cancel() { stream_->Cancel(); }

AsyncCalls::AsyncCalls(const Client* client)
    : connection_(*client->connection_),
      registry_(std::make_unique<Registry>()) {}

AsyncCalls::~AsyncCalls() { registry_->CancelAndWait(); }

void AsyncCalls::Predict(v1::PredictRequest request, const CallOptions& options,
                         CallListener* listener) {
  (new PredictCall(registry_.get(), std::move(request), listener))
      ->Start(connection_, options);
}

void AsyncCalls::Stream(v1::PredictRequest request, const CallOptions& options,
                        CallListener* listener) {
  (new StreamCall(registry_.get(), std::move(request), listener))
      ->Start(connection_, options);
}

std::unique_ptr<AsyncSession> AsyncCalls::OpenSession(
    const CallOptions& options, CallListener* listener) {
  auto stream = std::make_unique<AsyncSession::Stream>(listener);
  stream->Start(connection_, options);
  return absl::WrapUnique(new AsyncSession(std::move(stream)));
}

void AsyncCalls::CancelAll() { registry_->CancelAll(); }

}  // namespace mre
