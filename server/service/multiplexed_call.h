// Many requests on one stream, in either protocol: what reads messages, gives
// requests turns to write, and ends the stream.
#ifndef MRE_SERVER_SERVICE_MULTIPLEXED_CALL_H_
#define MRE_SERVER_SERVICE_MULTIPLEXED_CALL_H_

#include <grpcpp/grpcpp.h>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "server/service/call.h"
#include "server/service/message_pool.h"

namespace mre {

// Requests that one stream may have open (opened and not yet answered in
// full); one more is refused with RESOURCE_EXHAUSTED. While as many refusals
// wait to be sent the server does not read on, so that a client that does not
// read cannot make it remember more.
inline constexpr size_t kMaxOpenRequests = 1024;

// The life of such a stream. A protocol says how a message opens a request
// (Parse), what a message does (Handle), and what a request says when it is its
// turn (TakeTurn). Requests with something to say take turns, one message a
// turn. Deletes itself.
//
// `Wire` has the types Message (read), Update (written) and Admitted (a Checked
// with what the protocol's answers need).
//
// Locks are taken in the order: a request's listener lock, mu_, the scheduler's
// lock, the request's outbox. Each request counts as a call of its own in the
// metrics; the stream itself only as an open stream. A request is detached
// (which takes the first) only without mu_, so requests that have ended rest in
// ended_ until the next reaction of gRPC's.
template <typename Wire>
class MultiplexedCall : public grpc::ServerBidiReactor<typename Wire::Message,
                                                       typename Wire::Update>,
                        public OpenCall {
 public:
  using Message = typename Wire::Message;
  using Update = typename Wire::Update;

  void OnReadDone(bool ok) override {
    // Checking a large input takes a while: not under the lock, for which the
    // notifier would wait.
    std::unique_ptr<Open> opened;
    if (ok) opened = Parse(message_);
    absl::MutexLock lock(&mu_);
    reading_ = false;
    if (!ok) {
      reads_done_ = true;
      MaybeEnd();
      return;
    }
    if (ending_) {
      Discard(opened.get(), status_);
      return;
    }
    const absl::Status status = Handle(message_, opened);
    if (!status.ok()) {
      const grpc::Status wire = ToGrpcStatus(status);
      Discard(opened.get(), wire);
      EndWith(wire);
      return;
    }
    // A cleared message keeps its parts, and this one lives with the stream.
    if (message_.ByteSizeLong() > MessagePool<Update>::kLargestKept) {
      message_ = Message();
    }
    ReadMore();
    WriteMore();
  }

  void OnWriteDone(bool ok) override {
    BuryEnded();
    absl::MutexLock lock(&mu_);
    writing_ = false;
    SendEnds();
    pool_->Give(std::move(update_));
    if (!ok && !ending_) {
      EndWith(CancelStatus(*rpc_));
    } else if (ending_) {
      FinishOnce();
    } else {
      ReadMore();
      WriteMore();
    }
  }

  void OnCancel() override {
    absl::MutexLock lock(&mu_);
    if (!ending_) EndWith(CancelStatus(*rpc_));
  }

  void OnDone() override {
    {
      absl::MutexLock lock(&mu_);
      pool_->Give(std::move(update_));
      for (auto& [id, open] : open_) ended_.push_back(std::move(open));
      open_.clear();
    }
    BuryEnded();
    context_.metrics->StreamClosed();
    context_.calls->Leave(this);
    delete this;
  }

  void Drain() override {
    absl::MutexLock lock(&mu_);
    draining_ = true;
    MaybeEnd();
  }

 protected:
  struct Open;
  // By id, which need not be unique.
  using OpenMap = std::multimap<std::string, std::unique_ptr<Open>>;

  // One request of the stream. The flags are guarded by the call's mu_.
  struct Open : public Request::Listener {
    Open(MultiplexedCall* call, Method method, std::string id)
        : call(call),
          id(std::move(id)),
          record(call->context_, method, call->rpc_) {
      record.set_request_id(this->id);
    }
    void OnReady() override { call->Ready(this); }

    MultiplexedCall* const call;
    const std::string id;
    CallRecord record;
    typename Wire::Admitted admitted;
    absl::Status refusal;              // why it cannot be admitted
    typename OpenMap::iterator place;  // while it is open
    bool ready = false;                // stands in ready_
    bool ended = false;  // forgotten; the engine may still say it is ready
  };

  // What a turn has come to.
  struct Turn {
    bool says = false;  // the update is to be sent
    bool more = false;  // there is more to say now
    bool last = false;  // the request has ended
  };

  MultiplexedCall(const CallContext& context, grpc::CallbackServerContext* rpc,
                  MessagePool<Update>* pool)
      : OpenCall(rpc, *context.clock, AtDrain::kIsTold),
        context_(context),
        rpc_(rpc),
        pool_(pool) {
    context_.metrics->StreamOpened();
  }

  // Once, at the end of the constructor. Who may not come in is told at once;
  // later each request comes in by itself: it counts towards its token's rate,
  // and the token may have been taken away since the stream began.
  void Begin(Method method) {
    const grpc::Status status =
        ToGrpcStatus(context_.door->Identify(*rpc_, Scope::kInfer).status());
    {
      absl::MutexLock lock(&mu_);
      if (status.ok()) {
        this->StartRead(&message_);
      } else {
        // No request of it will be counted.
        CallRecord(context_, method, rpc_)
            .End(status.error_code(), status.error_message());
        EndWith(status);
      }
    }
    context_.calls->Enter(this);
  }

  // What the message opens, checked but not submitted; null: nothing.
  virtual std::unique_ptr<Open> Parse(const Message& message) = 0;
  // Takes `opened` unless it returns an error, which ends the stream.
  virtual absl::Status Handle(const Message& message,
                              std::unique_ptr<Open>& opened)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) = 0;
  // Fills an empty update with what the request has to say, or not.
  virtual Turn TakeTurn(Open* open, Update* update)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) = 0;

  // Takes `open` unless it returns an error: then it is not counted yet.
  absl::Status Submit(std::unique_ptr<Open>& open)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (!open->refusal.ok()) return open->refusal;
    if (open_.size() >= kMaxOpenRequests) {
      return absl::ResourceExhaustedError(
          absl::StrCat("the stream has ", open_.size(),
                       " requests open, its limit; open more when one ends"));
    }
    absl::Status status =
        SubmitRequest(context_, open->admitted, &open->record);
    if (status.ok()) {
      Open* const opened = open.get();
      opened->place = open_.emplace(opened->id, std::move(open));
    }
    return status;
  }

  // An update that goes before all others.
  Update* Refuse() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return &refusals_.emplace_back();
  }

  // The open request of this id, or null; with several, one of them.
  Open* Find(const std::string& id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const auto it = open_.find(id);
    return it == open_.end() ? nullptr : it->second.get();
  }

  // Takes a request out of open_ and ready_.
  void Forget(Open* open, const grpc::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    open->ended = true;
    open->record.End(status.error_code(), status.error_message());
    if (std::exchange(open->ready, false)) std::erase(ready_, open);
    const auto place = open->place;
    ended_.push_back(std::move(place->second));
    open_.erase(place);
  }

  // Counts an open that no answer will tell of; null: none.
  static void Discard(Open* opened, const grpc::Status& status) {
    if (opened == nullptr) return;
    opened->record.End(status.error_code(), status.error_message());
  }

  const CallContext& context() const { return context_; }
  grpc::CallbackServerContext* rpc() const { return rpc_; }

  absl::Mutex mu_;

 private:
  void Ready(Open* open) {
    absl::MutexLock lock(&mu_);
    if (ending_ || open->ended) return;
    if (!std::exchange(open->ready, true)) ready_.push_back(open);
    WriteMore();
  }

  void ReadMore() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (reading_ || reads_done_ || ending_) return;
    if (refusals_.size() + ended_.size() >= kMaxOpenRequests) return;
    reading_ = true;
    this->StartRead(&message_);
  }

  void WriteMore() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    while (!writing_ && !ending_) {
      if (refusals_.empty() && ready_.empty()) {
        pool_->Give(std::move(update_));
        MaybeEnd();
        return;
      }
      if (update_ == nullptr) update_ = pool_->Take();
      if (!refusals_.empty()) {
        *update_ = std::move(refusals_.front());
        refusals_.pop_front();
      } else {
        update_->Clear();
        if (!GiveTurn()) continue;
      }
      writing_ = true;
      SendBegins();
      this->StartWrite(update_.get());
    }
  }

  // Moves what the next request has to say into update_; false: nothing.
  bool GiveTurn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    Open* const open = ready_.front();
    ready_.pop_front();
    open->ready = false;
    const Turn turn = TakeTurn(open, update_.get());
    if (turn.last) {
      Forget(open, grpc::Status::OK);
    } else if (turn.more) {
      open->ready = true;
      ready_.push_back(open);
    }
    return turn.says;
  }

  // Ends the stream when nothing is left to do on it.
  void MaybeEnd() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (ending_ || writing_ || !open_.empty() || !refusals_.empty()) return;
    if (reads_done_) {
      EndWith(grpc::Status::OK);
    } else if (draining_) {
      EndWith({grpc::StatusCode::UNAVAILABLE, "the server is shutting down"});
    }
  }

  void EndWith(const grpc::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    ending_ = true;
    status_ = status;
    for (auto& [id, open] : open_) {
      open->admitted.request->Cancel();
      open->record.End(status.error_code(), status.error_message());
    }
    // Finish must wait for a write in flight.
    if (!writing_) FinishOnce();
  }

  void FinishOnce() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (std::exchange(finished_, true)) return;
    SendBegins();
    this->Finish(status_);
  }

  void BuryEnded() {
    std::vector<std::unique_ptr<Open>> ended;
    {
      absl::MutexLock lock(&mu_);
      ended.swap(ended_);
    }
    for (const auto& open : ended) open->admitted.request->Detach();
  }

  const CallContext& context_;
  grpc::CallbackServerContext* const rpc_;
  MessagePool<Update>* const pool_;
  // Of the read in flight, or of the OnReadDone that looks at it.
  Message message_;

  // Of the write in flight, or the next one.
  std::unique_ptr<Update> update_ ABSL_GUARDED_BY(mu_);
  OpenMap open_ ABSL_GUARDED_BY(mu_);
  std::deque<Open*> ready_ ABSL_GUARDED_BY(mu_);  // have something to say
  std::deque<Update> refusals_ ABSL_GUARDED_BY(mu_);
  std::vector<std::unique_ptr<Open>> ended_ ABSL_GUARDED_BY(mu_);
  bool reading_ ABSL_GUARDED_BY(mu_) = true;
  bool reads_done_ ABSL_GUARDED_BY(mu_) = false;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool draining_ ABSL_GUARDED_BY(mu_) = false;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  grpc::Status status_ ABSL_GUARDED_BY(mu_);
};

}  // namespace mre

#endif  // MRE_SERVER_SERVICE_MULTIPLEXED_CALL_H_
