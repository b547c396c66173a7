// Seeded random numbers whose values are the same on every platform.
#ifndef MRE_MODEL_BASE_RNG_H_
#define MRE_MODEL_BASE_RNG_H_

#include <array>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace mre {

// SplitMix64's finaliser (Steele et al., 2014): a good 64-bit mix.
inline uint64_t Mix64(uint64_t x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

// In (0, 1): 52 bits and a half, which a double holds exactly (with 53 the
// largest would round to 1), so that the logarithms of ToGumbel are finite.
inline double ToUnit(uint64_t bits) {
  return (static_cast<double>(bits >> 12) + 0.5) * 0x1.0p-52;
}

// A standard Gumbel variable from 64 random bits.
inline double ToGumbel(uint64_t bits) {
  return -std::log(-std::log(ToUnit(bits)));
}

// xoshiro256++ (Blackman and Vigna, 2019). Not thread-safe. The whole state is
// four words, so that a run can be saved and resumed.
class Rng {
 public:
  using State = std::array<uint64_t, 4>;

  explicit Rng(uint64_t seed) {
    for (uint64_t& word : state_) word = seed = Mix64(seed);
  }

  uint64_t Next() {
    const uint64_t result = Rotl(state_[0] + state_[3], 23) + state_[0];
    const uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = Rotl(state_[3], 45);
    return result;
  }
  double Uniform() { return ToUnit(Next()); }
  double Gumbel() { return ToGumbel(Next()); }
  // Box-Muller; draws two words each time, so no state hides beside State.
  double Gaussian() {
    const double radius = std::sqrt(-2 * std::log(Uniform()));
    return radius * std::cos(6.283185307179586 * Uniform());
  }
  // In [0, n). REQUIRES: n > 0. The bias is below n / 2^64.
  uint64_t Below(uint64_t n) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(Next()) * n) >>
                                 64);
  }
  // Fisher-Yates.
  template <typename T>
  void Shuffle(std::vector<T>& items) {
    for (size_t i = items.size(); i > 1; --i) {
      std::swap(items[i - 1], items[Below(i)]);
    }
  }

  const State& state() const { return state_; }
  void set_state(const State& state) { state_ = state; }

 private:
  static uint64_t Rotl(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

  State state_;
};

}  // namespace mre

#endif  // MRE_MODEL_BASE_RNG_H_
