#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "model/base/rng.h"
#include "model/math/parallel.h"
#include "model/net/raytracing.h"
#include "tests/model/net/gradient_check.h"

namespace mre {
namespace {

constexpr uint64_t kSeed = 5;

ModelConfig SmallConfig(bool normalised) {
  ModelConfig config;
  config.kind = Kind::kRaytracing;
  config.input = {{4, 3, 1}, 1, {0}, {1}};
  config.width = 9;  // no multiple of any vector's length
  config.layers = 3;
  config.experts = 3;
  config.hidden = 7;
  config.raytracing.modules = 4;
  config.raytracing.sparsity = 0.5;
  config.raytracing.gain = normalised ? 1.5 : 3;
  config.raytracing.normalised = normalised;
  config.raytracing.theta_out = 0.6;
  config.raytracing.decay = 0.7;
  config.raytracing.max_steps = 12;
  config.raytracing.seed = 3;
  config.classes = {"a", "b", "c"};
  return config;
}

// A model and a batch for it, every parameter off its starting value.
struct Problem {
  Problem(const ModelConfig& c, int64_t rows)
      : config(c),
        network(c),
        params(network.InitialParams(kSeed)),
        rows(rows) {
    Rng rng(kSeed + 1);
    for (float& p : params) p += static_cast<float>(0.3 * rng.Gaussian());
    x.resize(rows * c.input.size());
    for (float& value : x) value = static_cast<float>(2 * rng.Gaussian());
    for (int64_t b = 0; b < rows; ++b) {
      labels.push_back(static_cast<uint8_t>(rng.Below(c.num_classes())));
    }
    options.steps = c.raytracing.max_steps;
    options.arrival = 0.7;
  }

  Exits Forward() { return network.Forward(params, x.data(), rows, options); }

  // The loss at the rows' last exits and the arrival loss of one pass.
  double Loss(float* dlogits) {
    return ExitLoss(Forward(), config.num_classes(), labels.data(), {},
                    dlogits) +
           network.arrival_loss();
  }

  std::vector<float> Gradient() {
    std::vector<float> dlogits(rows * (options.steps + 1) *
                               config.num_classes());
    Loss(dlogits.data());
    std::vector<float> gradient(params.size(), 0.0f);
    network.Backward(params, x.data(), dlogits.data(), gradient);
    return gradient;
  }

  // The exit at which row b stopped.
  int64_t StopOf(const Exits& exits, int64_t b) const {
    const auto weights =
        exits.weights.subspan(b * (exits.steps + 1), exits.steps + 1);
    return std::find(weights.begin(), weights.end(), 1.0f) - weights.begin();
  }

  ModelConfig config;
  RaytracingNetwork network;
  std::vector<float> params;
  int64_t rows;
  std::vector<float> x;
  std::vector<uint8_t> labels;
  PassOptions options;
};

// One row at one threshold, from the equations alone: in double precision and
// from scratch. 0: no block may wake.
struct Plain {
  Plain(const Problem& problem, int64_t row, double theta) {
    const ModelConfig& config = problem.config;
    const RaytracingParams parts(config);
    const Wiring wiring(config);
    const RaytracingConfig& rays = config.raytracing;
    std::vector<double> sent(wiring.units());
    const auto softmax = [&](const RayLinear& linear, const auto& x,
                             double amount, int64_t units, double* to) {
      std::vector<double> q = Linear(problem, linear, x, units);
      double sum = 0;
      for (double& value : q) sum += value = std::exp(value);
      for (int64_t j = 0; j < units; ++j) to[j] = amount * q[j] / sum;
    };
    for (int64_t m = 0; m < wiring.modules; ++m) {
      std::vector<double> seen;
      for (const int32_t i : wiring.inputs[m]) {
        seen.push_back(problem.x[row * config.input.size() + i]);
      }
      softmax(parts.modules[m], seen, 1, config.width,
              sent.data() + m * config.width);
    }
    for (int64_t e = 0; e < wiring.blocks && theta > 0; ++e) {
      std::vector<double> z = Gather(sent, wiring.wires[e]);
      const double r = std::accumulate(z.begin(), z.end(), 0.0);
      if (r <= theta) continue;
      awake.push_back(static_cast<int32_t>(e));
      const double root = std::sqrt(static_cast<double>(z.size()));
      for (double& value : z) {
        value *= rays.normalised ? rays.gain * root / (r + 1e-6) : rays.gain;
      }
      softmax(parts.blocks[e], z, r - theta, config.hidden,
              sent.data() + wiring.first_unit(e));
    }
    std::vector<double> z = Gather(sent, wiring.output);
    arrived = std::accumulate(z.begin(), z.end(), 0.0);
    for (double& value : z) {
      value *=
          0.5 * std::sqrt(static_cast<double>(z.size())) / (arrived + 1e-6);
    }
    logits = Linear(problem, parts.head, z, config.num_classes());
  }

  static std::vector<double> Gather(const std::vector<double>& sent,
                                    const std::vector<int32_t>& wires) {
    std::vector<double> z;
    for (const int32_t unit : wires) z.push_back(sent[unit]);
    return z;
  }
  static std::vector<double> Linear(const Problem& problem,
                                    const RayLinear& linear,
                                    const std::vector<double>& x,
                                    int64_t units) {
    std::vector<double> y;
    for (int64_t j = 0; j < units; ++j) {
      double sum = problem.params[linear.bias.offset + j];
      for (size_t k = 0; k < x.size(); ++k) {
        sum += x[k] * problem.params[linear.weight.offset + j * linear.in +
                                     static_cast<int64_t>(k)];
      }
      y.push_back(sum);
    }
    return y;
  }

  std::vector<int32_t> awake;
  double arrived = 0;
  std::vector<double> logits;
};

class RaytracingNetworkTest : public ::testing::TestWithParam<bool> {};

INSTANTIATE_TEST_SUITE_P(Inputs, RaytracingNetworkTest,
                         ::testing::Values(false, true), [](const auto& info) {
                           return info.param ? "normalised" : "raw";
                         });

TEST_P(RaytracingNetworkTest, EachExitIsTheNetworkAtItsThreshold) {
  Problem problem(SmallConfig(GetParam()), /*rows=*/70);
  const Exits exits = problem.Forward();
  const int64_t count = exits.steps + 1;
  const int64_t classes = problem.config.num_classes();
  for (int64_t b = 0; b < problem.rows; ++b) {
    const int64_t stop = problem.StopOf(exits, b);
    double theta = 0;
    std::vector<int32_t> woken;
    for (int64_t t = 0; t <= stop; ++t) {
      if (t > 0) theta = t == 1 ? 1 : theta * 0.7;
      const Plain plain(problem, b, theta);
      const float* logits = exits.logits.data() + (b * count + t) * classes;
      for (int64_t c = 0; c < classes; ++c) {
        ASSERT_NEAR(logits[c], plain.logits[c], 2e-4) << b << " at " << t;
      }
      EXPECT_NEAR(exits.coverage[b * count + t], plain.arrived / 4, 1e-5);
      EXPECT_EQ(plain.arrived > 0.6, t == stop && t < exits.steps) << b;
      for (const int32_t e : plain.awake) {
        if (std::find(woken.begin(), woken.end(), e) == woken.end()) {
          woken.push_back(e);
        }
      }
    }
    const int64_t begin = exits.expert_begin[b * exits.steps];
    const auto experts = exits.experts.subspan(
        begin, exits.expert_begin[(b + 1) * exits.steps] - begin);
    EXPECT_EQ(std::vector<int32_t>(experts.begin(), experts.end()), woken);
  }
}

TEST_P(RaytracingNetworkTest, ExitsAfterARowsLastRepeatIt) {
  Problem problem(SmallConfig(GetParam()), /*rows=*/70);
  const Exits exits = problem.Forward();
  const int64_t count = exits.steps + 1;
  int64_t early = 0;
  for (int64_t b = 0; b < problem.rows; ++b) {
    const int64_t stop = problem.StopOf(exits, b);
    early += stop < exits.steps;
    for (int64_t t = stop + 1; t < count; ++t) {
      EXPECT_EQ(exits.macs[b * count + t], exits.macs[b * count + stop]);
      EXPECT_EQ(exits.coverage[b * count + t],
                exits.coverage[b * count + stop]);
      EXPECT_EQ(exits.logits[(b * count + t) * 3],
                exits.logits[(b * count + stop) * 3]);
    }
  }
  EXPECT_GT(early, 50);
}

// With the stops kept, both losses are differentiable but for kinks.
TEST_P(RaytracingNetworkTest, EveryGradientAgreesWithCentralDifferences) {
  Problem problem(SmallConfig(GetParam()), /*rows=*/5);
  SetThreads(1);  // thousands of forward passes too small to share
  const std::vector<float> gradient = problem.Gradient();
  EXPECT_GT(problem.network.arrival_loss(), 0.01);
  problem.network.KeepStops();
  double largest = 0;
  for (const ParamSpec& spec : problem.network.table().specs) {
    const GradientCheck check = CheckGradient(
        spec, problem.params, gradient, {2e-2f, 5e-3f, 2e-3f, 8e-4f, 2e-4f},
        [&] { return problem.Loss(nullptr); });
    const double noise = 2e-4 * std::sqrt(static_cast<double>(spec.size));
    EXPECT_LT(check.error, 0.01 * check.gradient + noise) << spec.name;
    largest = std::max(largest, check.gradient);
  }
  EXPECT_GT(largest, 0.1);
}

TEST_P(RaytracingNetworkTest, FewerStepsAreTheSameStepsCutShort) {
  Problem problem(SmallConfig(GetParam()), /*rows=*/20);
  const Exits all = problem.Forward();
  const std::vector<float> logits(all.logits.begin(), all.logits.end());
  const int64_t exits = problem.options.steps + 1;
  problem.options.steps = 3;
  const Exits cut = problem.Forward();
  for (int64_t b = 0; b < problem.rows; ++b) {
    for (int64_t i = 0; i < 4 * 3; ++i) {
      ASSERT_EQ(cut.logits[b * 4 * 3 + i], logits[b * exits * 3 + i]);
    }
  }
}

}  // namespace
}  // namespace mre
