// Runs the engine over the first images of an IDX file and writes what every
// step showed, as .npy files that numpy reads:
//
//   golden_dump --checkpoint=FILE --images=FILE --out=DIR
//               [--rows=1000] [--precision=f32|bf16]
//
//   probabilities.npy  float32 [rows, steps + 1, classes]
//   coverage.npy       float32 [rows, steps + 1]
//   experts.npy        int32 [rows, steps], layer * experts + index
//
// Exits with 77 when the CPU lacks the precision.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "model/base/file.h"
#include "model/base/idx_file.h"
#include "model/base/status_macros.h"
#include "model/engine/engine.h"
#include "model/io/checkpoint.h"

namespace mre {
namespace {

constexpr int kSkip = 77;
constexpr int64_t kRowsAtOnce = 200;
constexpr size_t kMaxImageBytes = size_t{1} << 30;

struct Flags {
  std::string checkpoint;
  std::string images;
  std::string out;
  int64_t rows = 1000;
  Precision precision = Precision::kF32;
};

bool ParseFlags(int argc, char** argv, Flags& flags) {
  for (int i = 1; i < argc; ++i) {
    absl::string_view flag = argv[i];
    bool ok = true;
    if (absl::ConsumePrefix(&flag, "--checkpoint=")) {
      flags.checkpoint = std::string(flag);
    } else if (absl::ConsumePrefix(&flag, "--images=")) {
      flags.images = std::string(flag);
    } else if (absl::ConsumePrefix(&flag, "--out=")) {
      flags.out = std::string(flag);
    } else if (absl::ConsumePrefix(&flag, "--rows=")) {
      ok = absl::SimpleAtoi(flag, &flags.rows) && flags.rows > 0;
    } else if (absl::ConsumePrefix(&flag, "--precision=")) {
      ok = flag == "f32" || flag == "bf16";
      flags.precision = flag == "bf16" ? Precision::kBf16 : Precision::kF32;
    } else {
      ok = false;
    }
    if (!ok) {
      std::fprintf(stderr, "unknown or malformed: %s\n", argv[i]);
      return false;
    }
  }
  return !flags.checkpoint.empty() && !flags.images.empty() &&
         !flags.out.empty();
}

// A .npy file, version 1.0: magic, length of the header, header, values.
template <typename T>
absl::Status WriteNpy(const std::string& path, absl::string_view type,
                      const std::vector<int64_t>& shape,
                      const std::vector<T>& values) {
  std::string header =
      absl::StrCat("{'descr': '", type, "', 'fortran_order': False, 'shape': (",
                   absl::StrJoin(shape, ","), ",), }");
  constexpr size_t kPreamble = 10;
  header.append(63 - (kPreamble + header.size()) % 64, ' ');
  header += '\n';
  std::string file = absl::StrCat("\x93NUMPY\x01", absl::string_view("\0", 1));
  file.push_back(static_cast<char>(header.size() & 0xff));
  file.push_back(static_cast<char>(header.size() >> 8));
  file += header;
  const auto bytes = std::as_bytes(std::span<const T>(values));
  file.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return WriteFileAtomically(path, file);
}

absl::Status Dump(const Flags& flags) {
  ASSIGN_OR_RETURN(const Model model, LoadCheckpoint(flags.checkpoint));
  ASSIGN_OR_RETURN(std::shared_ptr<const PackedModel> packed,
                   PackedModel::Create(model, flags.precision));
  ASSIGN_OR_RETURN(const Idx images, ReadIdxFile(flags.images, kMaxImageBytes));
  if (static_cast<int64_t>(images.item_size) != model.config.input.size()) {
    return absl::InvalidArgumentError("images and model differ in size");
  }
  const int64_t total =
      std::min(flags.rows, static_cast<int64_t>(images.count));
  const int64_t steps = model.config.total_experts();
  const int64_t classes = model.config.num_classes();
  std::vector<float> probabilities(total * (steps + 1) * classes);
  std::vector<float> coverage(total * (steps + 1));
  std::vector<int32_t> experts(total * steps);
  const auto engine = Engine::Create(packed);
  for (int64_t first = 0; first < total; first += kRowsAtOnce) {
    const int64_t count = std::min(kRowsAtOnce, total - first);
    std::vector<int> rows;
    for (int64_t i = first; i < first + count; ++i) {
      std::vector<float> pixels;
      for (const char byte : images.Item(static_cast<size_t>(i))) {
        pixels.push_back(static_cast<uint8_t>(byte));
      }
      rows.push_back(engine->Begin(pixels, {}));
    }
    for (int64_t step = 0; step <= steps; ++step) {
      engine->Step(rows);
      for (int64_t i = 0; i < count; ++i) {
        const int64_t at = (first + i) * (steps + 1) + step;
        const std::span<const float> p = engine->probabilities(rows[i]);
        std::copy(p.begin(), p.end(), probabilities.begin() + at * classes);
        coverage[at] = engine->progress(rows[i]).ray_coverage;
        if (step > 0) {
          experts[(first + i) * steps + step - 1] =
              static_cast<int32_t>(engine->step_info(rows[i]).expert);
        }
      }
    }
    for (const int row : rows) engine->End(row);
  }
  RETURN_IF_ERROR(WriteNpy(flags.out + "/probabilities.npy", "<f4",
                           {total, steps + 1, classes}, probabilities));
  RETURN_IF_ERROR(WriteNpy(flags.out + "/coverage.npy", "<f4",
                           {total, steps + 1}, coverage));
  return WriteNpy(flags.out + "/experts.npy", "<i4", {total, steps}, experts);
}

}  // namespace
}  // namespace mre

int main(int argc, char** argv) {
  mre::Flags flags;
  if (!mre::ParseFlags(argc, argv, flags)) {
    std::fprintf(stderr,
                 "usage: %s --checkpoint=FILE --images=FILE --out=DIR "
                 "[--rows=N] [--precision=f32|bf16]\n",
                 argv[0]);
    return 2;
  }
  const absl::Status status = mre::Dump(flags);
  if (status.code() == absl::StatusCode::kUnimplemented) {
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
    return mre::kSkip;
  }
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
    return 1;
  }
  return 0;
}
