// RETURN_IF_ERROR and ASSIGN_OR_RETURN for absl::Status and absl::StatusOr.
#ifndef MRE_MODEL_BASE_STATUS_MACROS_H_
#define MRE_MODEL_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define MRE_CONCAT_INNER(a, b) a##b
#define MRE_CONCAT(a, b) MRE_CONCAT_INNER(a, b)

// Returns from the enclosing function when `expr` is not OK.
#define RETURN_IF_ERROR(expr)                 \
  do {                                        \
    if (absl::Status s_ = (expr); !s_.ok()) { \
      return s_;                              \
    }                                         \
  } while (false)

// Declares or assigns `lhs` from a StatusOr, or returns its error.
#define ASSIGN_OR_RETURN(lhs, expr) \
  MRE_ASSIGN_OR_RETURN(MRE_CONCAT(status_or_, __LINE__), lhs, expr)
#define MRE_ASSIGN_OR_RETURN(tmp, lhs, expr) \
  auto tmp = (expr);                         \
  if (!tmp.ok()) return tmp.status();        \
  lhs = *std::move(tmp)

#endif  // MRE_MODEL_BASE_STATUS_MACROS_H_
