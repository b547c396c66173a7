// Runs gnuplot, which draws the plots of a report.
#ifndef MRE_MODEL_COMPARE_GNUPLOT_H_
#define MRE_MODEL_COMPARE_GNUPLOT_H_

#include <string>

#include "absl/status/status.h"

namespace mre {

// `gnuplot SCRIPT`, in `directory`. NOT_FOUND when there is no gnuplot;
// INTERNAL when it fails, which it explains on stderr.
absl::Status RunGnuplot(const std::string& directory,
                        const std::string& script);

}  // namespace mre

#endif  // MRE_MODEL_COMPARE_GNUPLOT_H_
