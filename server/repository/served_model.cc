#include "server/repository/served_model.h"

#include <span>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"
#include "model/engine/engine.h"
#include "model/io/checkpoint.h"

namespace mre {
namespace {

void RunOneRow(const std::shared_ptr<const PackedModel>& model) {
  const std::unique_ptr<Engine> engine = Engine::Create(model);
  const std::vector<float> input(model->config().input.size(), 0.0f);
  const int row = engine->Begin(input, {});
  do {
    engine->Step({&row, 1});
  } while (!engine->progress(row).exhausted);
}

absl::StatusOr<Model> ReadModel(const LoadOptions& options,
                                const std::string& name, int64_t version,
                                FileStamp* stamp) {
  ASSIGN_OR_RETURN(const std::string bytes,
                   ReadModelFile(options.root, name, version, stamp));
  auto model = ParseCheckpoint(std::as_bytes(std::span(bytes)));
  if (!model.ok()) {
    return AtPath(ModelFilePath(options.root, name, version), model.status());
  }
  return model;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const ServedModel>> LoadServedModel(
    const LoadOptions& options, const std::string& name, int64_t version,
    FileStamp* stamp) {
  ASSIGN_OR_RETURN(const Model model, ReadModel(options, name, version, stamp));
  ASSIGN_OR_RETURN(std::shared_ptr<const PackedModel> packed,
                   PackedModel::Create(model, options.precision));
  if (packed->RowBytes() > options.max_row_bytes) {
    return absl::FailedPreconditionError(absl::StrCat(
        ModelFilePath(options.root, name, version), ": a row takes ",
        packed->RowBytes(), " bytes, and at most ", options.max_row_bytes,
        " leave this machine's memory room for --max_active_rows and "
        "--max_queued_rows"));
  }
  RunOneRow(packed);
  auto served = std::make_shared<ServedModel>();
  served->name = name;
  served->version = version;
  served->model = std::move(packed);
  served->parameters = model.params.size();
  return served;
}

}  // namespace mre
