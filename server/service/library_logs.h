// What gRPC and protobuf log by themselves, made part of our log.
#ifndef MRE_SERVER_SERVICE_LIBRARY_LOGS_H_
#define MRE_SERVER_SERVICE_LIBRARY_LOGS_H_

namespace mre {

// From now on what they log are lines of the log, with the field "source". For
// the whole process; to be called before they are used by several threads.
//
// Any message with bytes that are no UTF-8 makes protobuf say so, and anybody
// may send one: of its lines there are ten a second at most, and the next one
// says how many were left out before it.
void TakeLibraryLogs();

}  // namespace mre

#endif  // MRE_SERVER_SERVICE_LIBRARY_LOGS_H_
