// A small data set to train on: 8x8 images of four classes that a linear model
// tells apart only in part.
#ifndef MRE_TESTS_MODEL_DATA_TINY_DATA_H_
#define MRE_TESTS_MODEL_DATA_TINY_DATA_H_

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "model/base/rng.h"
#include "model/data/dataset.h"
#include "tests/support/gzip.h"

namespace mre {

// A bright bar per class, at a place and in noise that `seed` decides.
inline Split TinySplit(int64_t count, uint64_t seed, int64_t side = 8) {
  Split split;
  Rng rng(seed);
  for (int64_t i = 0; i < count; ++i) {
    const uint64_t label = rng.Below(4);
    const int64_t place = static_cast<int64_t>(rng.Below(side / 2)) +
                          (label % 2 == 0 ? 0 : side / 2);
    for (int64_t y = 0; y < side; ++y) {
      for (int64_t x = 0; x < side; ++x) {
        const bool bright = (label < 2 ? y : x) == place;
        split.images.push_back(
            static_cast<uint8_t>(rng.Below(100) + (bright ? 120 : 0)));
      }
    }
    split.labels.push_back(static_cast<uint8_t>(label));
  }
  return split;
}

inline Dataset TinyDataset() {
  return {"tiny",
          {8, 8, 1},
          {"top", "bottom", "left", "right"},
          TinySplit(200, 1),
          TinySplit(50, 2)};
}

inline std::string BigEndian32(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<char>(value >> shift));
  }
  return bytes;
}

inline std::string IdxImageBytes(const Split& split, uint32_t side) {
  return BigEndian32(2051) + BigEndian32(split.size()) + BigEndian32(side) +
         BigEndian32(side) +
         std::string(split.images.begin(), split.images.end());
}

inline std::string IdxLabelBytes(const Split& split) {
  return BigEndian32(2049) + BigEndian32(split.size()) +
         std::string(split.labels.begin(), split.labels.end());
}

inline void WriteBytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// The four files of an IDX data set; the test half is not compressed.
inline void WriteIdxDataset(const std::string& dir, const Split& train,
                            const Split& test, uint32_t side) {
  std::filesystem::create_directories(dir);
  WriteBytes(dir + "/train-images-idx3-ubyte.gz",
             Gzip(IdxImageBytes(train, side)));
  WriteBytes(dir + "/train-labels-idx1-ubyte.gz", Gzip(IdxLabelBytes(train)));
  WriteBytes(dir + "/t10k-images-idx3-ubyte", IdxImageBytes(test, side));
  WriteBytes(dir + "/t10k-labels-idx1-ubyte", IdxLabelBytes(test));
}

// CIFAR-10's records of these 32x32x3 images.
inline std::string Cifar10Bytes(const Split& split) {
  constexpr int64_t kPlane = 32 * 32;
  std::string bytes;
  for (int64_t i = 0; i < split.size(); ++i) {
    bytes.push_back(static_cast<char>(split.labels[i]));
    for (int64_t c = 0; c < 3; ++c) {
      for (int64_t at = 0; at < kPlane; ++at) {
        bytes.push_back(
            static_cast<char>(split.images[(i * kPlane + at) * 3 + c]));
      }
    }
  }
  return bytes;
}

// 32x32x3 images of random bytes.
inline Split TinyColours(int64_t count, uint64_t seed) {
  Split split;
  Rng rng(seed);
  for (int64_t i = 0; i < count; ++i) {
    split.labels.push_back(static_cast<uint8_t>(rng.Below(10)));
    for (int64_t at = 0; at < 32 * 32 * 3; ++at) {
      split.images.push_back(static_cast<uint8_t>(rng.Below(256)));
    }
  }
  return split;
}

// CIFAR-10's six files, of `count` records each. Data file N holds
// TinyColours(count, N), the test file TinyColours(count, 6).
inline void WriteCifar10Dataset(const std::string& dir, int64_t count) {
  std::filesystem::create_directories(dir);
  for (int i = 1; i <= 5; ++i) {
    WriteBytes(dir + "/data_batch_" + std::to_string(i) + ".bin",
               Cifar10Bytes(TinyColours(count, i)));
  }
  WriteBytes(dir + "/test_batch.bin", Cifar10Bytes(TinyColours(count, 6)));
}

}  // namespace mre

#endif  // MRE_TESTS_MODEL_DATA_TINY_DATA_H_
