// Vectors for the bytes of a text, from a table [256,E]: what the stem reads
// in place of the bytes themselves.
//
// A value of the input that is no byte (a client may send any number) stands
// for the nearest one.
#ifndef MRE_MODEL_NET_EMBEDDING_H_
#define MRE_MODEL_NET_EMBEDDING_H_

#include <cstdint>

namespace mre {

// The whole number in [0, 255] that is nearest to `value`, halves going up; 0
// for NaN.
int64_t NearestByte(float value);

// y[i] = table[x[i]], for `count` values: y is [count,E].
void Embed(const float* table, int64_t dimension, const float* x, int64_t count,
           float* y);

// dtable[x[i]] += dy[i]. On the calling thread, in the order of i.
void EmbedBackward(const float* x, const float* dy, int64_t count,
                   int64_t dimension, float* dtable);

}  // namespace mre

#endif  // MRE_MODEL_NET_EMBEDDING_H_
