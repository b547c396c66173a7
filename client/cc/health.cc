#include "client/cc/health.h"

#include <google/protobuf/unknown_field_set.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <vector>

#include "absl/status/status.h"
#include "absl/synchronization/notification.h"
#include "client/cc/connection.h"
#include "client/cc/rpc_status.h"
#include "model/base/status_macros.h"

namespace mre {
namespace {

using google::protobuf::UnknownField;
using google::protobuf::UnknownFieldSet;

constexpr int kService = 1;
constexpr int kStatus = 1;

}  // namespace

std::string EncodeHealthRequest(const std::string& service) {
  UnknownFieldSet fields;
  if (!service.empty()) fields.AddLengthDelimited(kService, service);
  std::string bytes;
  fields.SerializeToString(&bytes);
  return bytes;
}

absl::StatusOr<ServingStatus> DecodeHealthResponse(const std::string& bytes) {
  UnknownFieldSet fields;
  if (!fields.ParseFromString(bytes)) {
    return absl::InternalError("the health response is not a message");
  }
  uint64_t status = 0;
  for (int i = 0; i < fields.field_count(); ++i) {
    const UnknownField& field = fields.field(i);
    if (field.number() != kStatus) continue;
    if (field.type() != UnknownField::TYPE_VARINT) {
      return absl::InternalError("the health response's status is no number");
    }
    status = field.varint();
  }
  switch (status) {
    case 1:
      return ServingStatus::kServing;
    case 2:
      return ServingStatus::kNotServing;
    default:
      return ServingStatus::kUnknown;
  }
}

absl::StatusOr<ServingStatus> CheckHealth(const Connection& connection,
                                          const std::string& service,
                                          const CallOptions& options) {
  const grpc::Slice request_slice(EncodeHealthRequest(service));
  const grpc::ByteBuffer request(&request_slice, 1);
  grpc::ByteBuffer response;
  grpc::ClientContext context;
  connection.Configure(options, context);
  grpc::Status status;
  absl::Notification done;
  grpc::GenericStub stub(connection.channel());
  stub.UnaryCall(&context, "/grpc.health.v1.Health/Check", grpc::StubOptions(),
                 &request, &response, [&](grpc::Status result) {
                   status = std::move(result);
                   done.Notify();
                 });
  done.WaitForNotification();
  RETURN_IF_ERROR(FromRpcStatus(status, context));
  std::vector<grpc::Slice> slices;
  if (!response.Dump(&slices).ok()) {
    return absl::InternalError("the health response cannot be read");
  }
  std::string bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return DecodeHealthResponse(bytes);
}

}  // namespace mre
