// A file that lives as long as a test needs it, and PNG bytes.
#ifndef MRE_TESTS_CLIENT_TEMP_FILE_H_
#define MRE_TESTS_CLIENT_TEMP_FILE_H_

#include <gtest/gtest.h>
#include <png.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace mre {

// The file is removed when this is destroyed.
class TempFile {
 public:
  explicit TempFile(const std::string& contents) {
    const int fd = mkstemp(path_.data());
    EXPECT_GE(fd, 0);
    close(fd);
    std::ofstream(path_, std::ios::binary) << contents;
  }
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;
  ~TempFile() { unlink(path_.c_str()); }

  const std::string& path() const { return path_; }

 private:
  std::string path_ = testing::TempDir() + "/mre_client_XXXXXX";
};

// `pixels` in libpng's simplified `format` (PNG_FORMAT_GRAY, ...) as a file.
inline std::string MakePng(int height, int width, png_uint_32 format,
                           const std::string& pixels) {
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  image.height = static_cast<png_uint_32>(height);
  image.width = static_cast<png_uint_32>(width);
  image.format = format;
  EXPECT_EQ(PNG_IMAGE_SIZE(image), pixels.size());
  std::string bytes(PNG_IMAGE_PNG_SIZE_MAX(image), '\0');
  png_alloc_size_t size = bytes.size();
  EXPECT_TRUE(png_image_write_to_memory(&image, bytes.data(), &size, 0,
                                        pixels.data(), 0, nullptr));
  bytes.resize(size);
  return bytes;
}

}  // namespace mre

#endif  // MRE_TESTS_CLIENT_TEMP_FILE_H_
