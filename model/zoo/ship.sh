#!/usr/bin/env bash
# Makes the checkpoints here, but for fashion-mnist, of what comparisons trained.
set -euo pipefail

usage() {
  cat <<'EOT'
Usage: model/zoo/ship.sh DIR

DIR/PLAN is what `mre-train compare model/zoo/results/plans/PLAN.json
--out=DIR/PLAN` left. Of each plan's best runs the checkpoint of the best seed is
stored here with bf16 matrices, as NAME/1/model.safetensors; one that is there is
replaced, and a plan that is not in DIR is passed over.

Needs build/release/model/cli/mre-train (tests/run.sh builds it).
EOT
}
case "${1-}" in
  -h | --help) usage; exit 0 ;;
  '' | -*) usage >&2; exit 2 ;;
esac
dir=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# Name, plan, run, seed, and the steps of an mre that was trained to fewer than all.
while read -r name plan run seed steps; do
  from=$dir/$plan/runs/$run/$seed/model.safetensors
  [[ -e $dir/$plan ]] || continue
  mkdir -p "model/zoo/$name/1"
  build/release/model/cli/mre-train convert "$from" \
    "model/zoo/$name/1/model.safetensors" --dtype=bf16 --overwrite \
    --max_steps="${steps:-0}"
done <<'EOT'
fashion-mnist-topk fashion-mnist-mlp topk-4 1
fashion-mnist-adak fashion-mnist-mlp adak 1
fashion-mnist-mlp fashion-mnist-mlp mlp 1
fashion-mnist-conv fashion-mnist-conv-long mre 2 8
cifar10 cifar10-conv mre 0 8
fashion-mnist-rays raytracing fashion-mnist-rays 4
mnist-rays raytracing mnist-rays 2
usps-rays raytracing usps-rays 2
cifar10-rays raytracing cifar10-rays 3
mnist-mlp raytracing mnist-mlp-64 1
usps-mlp raytracing usps-mlp-64 1
cifar10-mlp raytracing cifar10-mlp-64 3
shakespeare text-pathmoe L12-B2 1
EOT
