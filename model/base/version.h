// The version that every program gives for --version.
#ifndef MRE_MODEL_BASE_VERSION_H_
#define MRE_MODEL_BASE_VERSION_H_

namespace mre {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace mre

#endif  // MRE_MODEL_BASE_VERSION_H_
