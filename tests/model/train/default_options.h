#ifndef MRE_TESTS_MODEL_TRAIN_DEFAULT_OPTIONS_H_
#define MRE_TESTS_MODEL_TRAIN_DEFAULT_OPTIONS_H_

#include "model/train/fit_options.h"

namespace mre {

// What `mre-train fit --kind=KIND` has, and nothing else said.
inline FitOptions Defaults(const char* kind = "mre") {
  FitOptions options;
  options.kind = kind;
  FillDefaults(options);
  return options;
}

}  // namespace mre

#endif  // MRE_TESTS_MODEL_TRAIN_DEFAULT_OPTIONS_H_
