// MRE_SIMD before a function builds it, with what it calls of its file, for
// several widths of vector registers; the widest that the CPU has is taken when
// the program starts. Files that use it are compiled with -ffp-contract=off, so
// that every width gives the same bits: sums in it must have a fixed number of
// lanes.
#ifndef MRE_MODEL_MATH_SIMD_H_
#define MRE_MODEL_MATH_SIMD_H_

// Sanitizers do not know the resolvers that choose.
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define MRE_SIMD \
  __attribute__((flatten, target_clones("default", "avx2", "avx512f")))
#else
#define MRE_SIMD
#endif

#endif  // MRE_MODEL_MATH_SIMD_H_
