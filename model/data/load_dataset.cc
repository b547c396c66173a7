#include "model/data/load_dataset.h"

#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/status_macros.h"
#include "model/data/loaders.h"

namespace mre {
namespace {

// One row a data set.
struct Row {
  absl::string_view name;
  absl::string_view default_dir;  // empty: --data_dir must be given
  absl::string_view hint;         // which files these are
  std::vector<std::string> classes;
  absl::StatusOr<Dataset> (*load)(const std::string& dir,
                                  const std::vector<std::string>& classes);
  // Set in place of `load` for text, whose classes are what it holds.
  absl::StatusOr<Dataset> (*load_text)(const std::string& path,
                                       int64_t window) = nullptr;
};

const std::vector<Row>& Table() {
  static const auto* const kTable = new std::vector<Row>{
      {"fashion-mnist",
       "/usr/share/datasets/fashion-mnist",
       "Debian: apt-get install dataset-fashion-mnist",
       {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal",
        "Shirt", "Sneaker", "Bag", "Ankle boot"},
       LoadIdx},
      {"mnist",
       "",
       "the four files of the MNIST database of handwritten digits",
       {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
       LoadIdx},
      {"cifar10",
       "",
       "the files of CIFAR-10's binary version",
       {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse",
        "ship", "truck"},
       LoadCifar10},
      {"usps",
       "",
       "zip.train and zip.test, the ZIP code data of \"The Elements of "
       "Statistical Learning\", gzipped or not",
       {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
       LoadUsps},
      {"text",
       "",
       "input.txt in it, or the path of any text; gzipped or not",
       {},
       nullptr,
       LoadText},
  };
  return *kTable;
}

absl::StatusOr<Dataset> Load(const Row& row, std::string dir, int64_t window) {
  if (dir.empty()) dir = std::string(row.default_dir);
  if (dir.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--data_dir: expected the directory of ", row.name, " (",
                     row.hint, ")"));
  }
  auto data = row.load_text != nullptr ? row.load_text(dir, window)
                                       : row.load(dir, row.classes);
  if (absl::IsNotFound(data.status())) {
    return absl::NotFoundError(
        absl::StrCat(data.status().message(), " (", row.hint, ")"));
  }
  RETURN_IF_ERROR(data.status());
  data->name = std::string(row.name);
  return data;
}

}  // namespace

std::string DatasetNames() {
  return absl::StrJoin(Table(), ", ", [](std::string* out, const Row& row) {
    absl::StrAppend(out, row.name);
  });
}

absl::StatusOr<Dataset> LoadDataset(absl::string_view name,
                                    const std::string& data_dir,
                                    int64_t window) {
  for (const Row& row : Table()) {
    if (row.name == name) return Load(row, data_dir, window);
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "--dataset: expected one of ", DatasetNames(), ", got \"", name, "\""));
}

}  // namespace mre
