// Rows in order of the expert that they use, so that each expert is called once
// a batch.
#ifndef MRE_MODEL_NET_EXPERT_SORT_H_
#define MRE_MODEL_NET_EXPERT_SORT_H_

#include <cstdint>
#include <span>
#include <vector>

namespace mre {

// Uses of experts in order of their expert, then as they came.
struct ExpertSort {
  // expert: that of each use; -1: none. REQUIRES: below `experts`.
  void Sort(std::span<const int32_t> expert, int64_t experts);

  std::vector<int64_t> position;      // of each use; -1: none
  std::vector<int64_t> expert_begin;  // [experts+1] ranges of the positions

 private:
  std::vector<int64_t> next_;  // scratch of Sort
};

}  // namespace mre

#endif  // MRE_MODEL_NET_EXPERT_SORT_H_
