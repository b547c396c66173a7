// Any bytes make one line, and in JSON an object that says them; any header is
// ignored or a traceparent whose ids are parts of it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/string_view.h"
#include "model/base/log_line.h"
#include "server/service/trace_context.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const auto format : {mre::LogFormat::kText, mre::LogFormat::kJson}) {
    const std::string line =
        mre::LogLine(format, mre::Severity::kInfo, absl::UnixEpoch(), bytes,
                     {{"key", bytes}, {"number", size}});
    Require(line.find('\n') == line.size() - 1);
    if (format == mre::LogFormat::kText) continue;
    const auto json = nlohmann::json::parse(line, nullptr, false);
    Require(json.is_object() && json["number"] == size);
    Require(json["key"] == json["message"]);
  }
  if (const auto parent = mre::ParseTraceParent(bytes)) {
    Require(size >= 55 && parent->trace_id.size() == 32 &&
            parent->parent_id.size() == 16);
  }
  return 0;
}
