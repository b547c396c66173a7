// What the open inference protocol tells about the server, its models and their
// statistics. Pure functions.
//
// max_batch_size is above 0, so by Triton's convention the dimensions of a
// ModelConfig leave out that of the rows, and the shapes of ModelMetadata begin
// with it (-1).
#ifndef MRE_SERVER_SERVICE_INFERENCE_INFO_H_
#define MRE_SERVER_SERVICE_INFERENCE_INFO_H_

#include <cstdint>
#include <span>

#include "proto/inference/grpc_service.pb.h"
#include "server/metrics/model_statistics.h"
#include "server/repository/repository.h"

namespace mre {

void FillServerMetadata(inference::ServerMetadataResponse* response);

// `versions`: those to list.
void FillModelMetadata(const ServedModel& model,
                       std::span<const int64_t> versions,
                       inference::ModelMetadataResponse* response);

void FillModelConfig(const ServedModel& model, int64_t max_rows,
                     inference::ModelConfig* config);

// `to_wall`: from the time of the server's clock to that of the day.
void FillModelStatistics(const ServedModel& model,
                         const ModelStatistics::Snapshot& snapshot,
                         absl::Duration to_wall,
                         inference::ModelStatistics* statistics);

void FillModelIndex(const VersionStatus& status,
                    inference::RepositoryIndexResponse::ModelIndex* index);

}  // namespace mre

#endif  // MRE_SERVER_SERVICE_INFERENCE_INFO_H_
