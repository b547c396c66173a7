// How much of the server one client, or all of them, may hold: what gRPC is
// told, and how many connections the process has descriptors for.
#ifndef MRE_SERVER_DOOR_LIMITS_H_
#define MRE_SERVER_DOOR_LIMITS_H_

#include <grpcpp/server_builder.h>

#include <cstdint>

#include "server/door/options.h"

namespace mre {

// All of the options' limits that gRPC keeps. `largest_request` is the most
// bytes that a request there is a place for can have.
void ApplyLimits(const DoorOptions& options, int64_t largest_request,
                 grpc::ServerBuilder& builder);

// Raises the process's limit of open files to what it may be raised to, and
// returns it.
int64_t RaiseFileLimit();

// `wanted` connections, or as many as leave room for the other files of a
// process that may open `file_limit`. At least 1.
int ConnectionLimit(int wanted, int64_t file_limit);

}  // namespace mre

#endif  // MRE_SERVER_DOOR_LIMITS_H_
