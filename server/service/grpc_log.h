// gRPC's own log, made part of ours.
#ifndef MRE_SERVER_SERVICE_GRPC_LOG_H_
#define MRE_SERVER_SERVICE_GRPC_LOG_H_

namespace mre {

// From now on what gRPC logs are lines of the log, with the field "source". For
// the whole process.
void TakeGrpcLog();

}  // namespace mre

#endif  // MRE_SERVER_SERVICE_GRPC_LOG_H_
