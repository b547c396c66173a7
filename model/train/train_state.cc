#include "model/train/train_state.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/json_fields.h"
#include "model/base/status_macros.h"
#include "model/io/checkpoint.h"
#include "model/io/safetensors.h"
#include "model/train/recipe.h"

namespace mre {
namespace {

constexpr char kState[] = "mre.train.state";
constexpr char kRecipe[] = "mre.train.recipe";
constexpr char kConfig[] = "mre.config";
constexpr char kData[] = "mre.train.data";
constexpr int kFormat = 2;

absl::Status Expected(absl::string_view where, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(where, ": expected ", what));
}

absl::StatusOr<std::vector<float>> ReadTensor(const Safetensors& file,
                                              const std::string& name,
                                              int64_t size) {
  const auto it = file.tensors.find(name);
  if (it == file.tensors.end() || it->second.dtype != "F32" ||
      it->second.elements() != size) {
    return Expected(absl::StrCat("tensor \"", name, "\""),
                    absl::StrCat(size, " values of F32"));
  }
  std::vector<float> values(size);
  std::memcpy(values.data(), it->second.bytes.data(), it->second.bytes.size());
  return values;
}

absl::StatusOr<std::string> ReadText(const Safetensors& file,
                                     const std::string& key) {
  const auto it = file.metadata.find(key);
  if (it == file.metadata.end()) {
    return Expected("__metadata__",
                    absl::StrCat("\"", key, "\"; is this a state file?"));
  }
  return it->second;
}

absl::Status ReadCounters(const std::string& text, TrainState& state) {
  ASSIGN_OR_RETURN(const auto json, ParseJson(text, kState));
  JsonFields fields(json, kState);
  int64_t format = 0;
  fields.Required("format", format);
  if (format != kFormat) fields.Fail("\"format\": expected ", kFormat);
  fields.Required("step", state.step);
  fields.Required("log_loss", state.log_loss);
  fields.Required("log_steps", state.log_steps);
  fields.Required("epoch_loss", state.epoch_loss);
  state.adam.steps = state.step;
  return fields.status();
}

}  // namespace

absl::StatusOr<SavedRun> ParseRun(std::span<const std::byte> bytes) {
  ASSIGN_OR_RETURN(const Safetensors file, ParseSafetensors(bytes));
  SavedRun run;
  ASSIGN_OR_RETURN(const std::string counters, ReadText(file, kState));
  RETURN_IF_ERROR(ReadCounters(counters, run.state));
  ASSIGN_OR_RETURN(const std::string recipe, ReadText(file, kRecipe));
  ASSIGN_OR_RETURN(run.options, ParseRecipe(recipe));
  ASSIGN_OR_RETURN(run.data, ReadText(file, kData));
  ASSIGN_OR_RETURN(const std::string config, ReadText(file, kConfig));
  ASSIGN_OR_RETURN(run.config, ParseConfig(config));
  ASSIGN_OR_RETURN(const ParamTable table,
                   ParamsWithin(run.config, bytes.size()));
  const int64_t size = table.total;
  ASSIGN_OR_RETURN(run.state.params, ReadTensor(file, "params", size));
  ASSIGN_OR_RETURN(run.state.adam.first, ReadTensor(file, "adam.first", size));
  ASSIGN_OR_RETURN(run.state.adam.second,
                   ReadTensor(file, "adam.second", size));
  if (run.options.shared_lr > 0) {
    const int64_t shared = SharedSize(table);
    ASSIGN_OR_RETURN(run.state.adam.shared_first,
                     ReadTensor(file, "adam.shared_first", shared));
    ASSIGN_OR_RETURN(run.state.adam.shared_second,
                     ReadTensor(file, "adam.shared_second", shared));
  }
  if (run.options.ema > 0) {
    ASSIGN_OR_RETURN(run.state.average, ReadTensor(file, "average", size));
  }
  return run;
}

absl::Status SaveRun(const SavedRun& run, const std::string& path) {
  const TrainState& state = run.state;
  Safetensors file;
  file.metadata[kState] = nlohmann::json{
      {"format", kFormat},
      {"step", state.step},
      {"log_loss", state.log_loss},
      {"log_steps", state.log_steps},
      {"epoch_loss",
       state.epoch_loss}}.dump();
  file.metadata[kRecipe] = FormatRecipe(run.options);
  file.metadata[kConfig] = FormatConfig(run.config);
  file.metadata[kData] = run.data;
  const auto add = [&](const char* name, const std::vector<float>& values) {
    file.tensors[name] = {"F32",
                          {static_cast<int64_t>(values.size())},
                          std::as_bytes(std::span(values))};
  };
  add("params", state.params);
  add("adam.first", state.adam.first);
  add("adam.second", state.adam.second);
  if (!state.adam.shared_first.empty()) {
    add("adam.shared_first", state.adam.shared_first);
    add("adam.shared_second", state.adam.shared_second);
  }
  if (!state.average.empty()) add("average", state.average);
  return WriteFileAtomically(path, SerializeSafetensors(file));
}

absl::StatusOr<SavedRun> LoadRun(const std::string& path) {
  ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
  absl::StatusOr<SavedRun> run = ParseRun(file.bytes());
  if (run.ok()) return run;
  return AtPath(path, run.status());
}

}  // namespace mre
