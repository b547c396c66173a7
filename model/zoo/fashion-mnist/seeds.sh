#!/usr/bin/env bash
# How much the seed matters: the shipped recipe with five of them.
set -euo pipefail

usage() {
  cat <<'EOT'
Usage: model/zoo/fashion-mnist/seeds.sh DIR [flags of mre-train fit...]

Trains the recipe of the checkpoint that ships with the seeds 0 to 4, one after
another (some 40 minutes in all on one core), evaluates each on the 10,000 test
images, and prints the mean and the standard deviation (of a sample: divided by
n - 1) of the accuracy after 0, 1, 2, 4, 8, 16, 28 and 32 experts. DIR gets the
checkpoint, the log and the evaluation of each seed; those there are replaced.

Further arguments change the recipe, for instance to see quickly that this works:
  model/zoo/fashion-mnist/seeds.sh /tmp/seeds --epochs=1 --limit_train=2000
Not --dataset, --seed, --threads, --router_training, --out and --log, which are given already.

Needs build/release/model/cli/mre-train (tests/run.sh builds it) and the
package dataset-fashion-mnist.
EOT
}
case "${1-}" in
  -h | --help) usage; exit 0 ;;
  '' | -*) usage >&2; exit 2 ;;
esac
mkdir -p "$1"
dir=$(realpath "$1")
shift

cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
readonly train=build/release/model/cli/mre-train
if [[ ! -x $train ]]; then
  echo "seeds.sh: no $PWD/$train; tests/run.sh builds it" >&2
  exit 1
fi

for seed in 0 1 2 3 4; do
  echo "== seed $seed"
  "$train" fit --dataset=fashion-mnist --seed="$seed" --threads=1 \
    --router_training=straight-through --out="$dir/$seed.safetensors" --overwrite --log="$dir/$seed.jsonl" \
    "$@" >/dev/null
  "$train" eval --checkpoint="$dir/$seed.safetensors" --dataset=fashion-mnist \
    --threads=1 --json >"$dir/$seed.json"
done

python3 - "$dir" <<'EOT'
import json, statistics, sys

runs = []
for seed in range(5):
    with open(f"{sys.argv[1]}/{seed}.json", encoding="utf-8") as file:
        runs.append([step["accuracy"] for step in json.load(file)["steps"]])
steps = [t for t in (0, 1, 2, 4, 8, 16, 28, 32) if t < len(runs[0])]


def row(name, cells):
    print("|", " | ".join([name, *cells]), "|")


def figures(function):
    return [f"{function([run[t] for run in runs]):.4f}".removeprefix("0")
            for t in steps]


print()
row("experts run", map(str, steps))
row("---", ["---"] * len(steps))
row("mean", figures(statistics.mean))
row("deviation", figures(statistics.stdev))
print()
for seed, run in enumerate(runs):
    print(f"seed {seed}: from its best step to its last it loses "
          f"{100 * (max(run) - run[-1]):.2f} points; no step is worse than "
          "the best before it by more than "
          f"{100 * max(max(run[:t + 1]) - run[t] for t in range(len(run))):.2f}")
EOT
