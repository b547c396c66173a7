#!/usr/bin/env python3
"""Compares the engine with numpy on Fashion-MNIST's test images.

Usage: golden_test.py --dump=PROGRAM --checkpoint=FILE [--rows=1000]

Runs golden_dump in f32 and in bf16 and forward.py in float64 over the same
images, prints the largest differences, and fails if one exceeds its bound or
if an order of experts differs. Exits with 77 (skipped) if Debian's package
dataset-fashion-mnist is not installed.
"""

import argparse
import gzip
import os
import subprocess
import sys
import tempfile

import numpy as np

sys.dont_write_bytecode = True
import forward  # noqa: E402

IMAGES = "/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz"
SKIP = 77

F32_BOUND = 1e-5  # of a probability, at every step
COVERAGE_BOUND = 1e-5
# Measured and rounded up: see README.md.
BF16_BOUND = 0.03
# Candidates whose rates are this close may swap places between f32 and
# float64, in this many rows.
NEAR_TIE = 1e-5
MOST_TIES = 5


def read_images(rows):
    with gzip.open(IMAGES) as file:
        header = np.frombuffer(file.read(16), ">u4")
        assert header[0] == 0x803, header
        size = int(header[2] * header[3])
        pixels = np.frombuffer(file.read(rows * size), np.uint8)
    return pixels.reshape(rows, size)


class Dump:
    """What golden_dump wrote, or skipped if it could not."""

    def __init__(self, args, precision):
        with tempfile.TemporaryDirectory() as out:
            code = subprocess.run([
                args.dump, f"--checkpoint={args.checkpoint}",
                f"--images={IMAGES}", f"--out={out}", f"--rows={args.rows}",
                f"--precision={precision}"
            ], check=False).returncode
            self.skipped = code == SKIP
            if code not in (0, SKIP):
                sys.exit(f"golden_dump --precision={precision} exits {code}")
            if not self.skipped:
                self.probabilities, self.coverage, self.experts = (
                    np.load(os.path.join(out, name + ".npy"))
                    for name in ("probabilities", "coverage", "experts"))


class Checks:
    """Prints one line a check and remembers whether all held."""

    def __init__(self):
        self.failed = 0

    def at_most(self, what, value, bound):
        ok = value <= bound  # False for NaN
        self.failed += not ok
        print(f"{'ok  ' if ok else 'FAIL'} {what}: {value:.3g} (at most"
              f" {bound:.3g})")


def same_until_tie(dump, oracle, checks):
    """A mask [rows, T+1] of the steps before a row's first near-tie swap."""
    differs = dump.experts != oracle.experts
    rows = np.flatnonzero(differs.any(axis=1))
    mask = np.ones(oracle.coverage.shape, bool)
    wrong = 0
    for row in rows:
        step = int(differs[row].argmax())
        mask[row, step + 1:] = False
        gap = oracle.gaps[row, step]
        if gap >= NEAR_TIE:
            wrong += 1
            print(f"row {row} step {step + 1}: expert {dump.experts[row, step]}"
                  f" instead of {oracle.experts[row, step]}, whose rate is"
                  f" {gap:.3g} above the second")
    checks.at_most("rows whose order differs without a near-tie", wrong, 0)
    checks.at_most("rows whose order differs at a near-tie", len(rows) - wrong,
                   MOST_TIES)
    return mask


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dump", required=True)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--rows", type=int, default=1000)
    args = parser.parse_args()
    if not os.path.exists(args.checkpoint):
        sys.exit(f"the checkpoint that ships is missing: {args.checkpoint}")
    if not os.path.exists(IMAGES):
        print(f"skipped: no {IMAGES} (apt-get install dataset-fashion-mnist)")
        sys.exit(SKIP)

    oracle = forward.forward(forward.Checkpoint(args.checkpoint),
                             read_images(args.rows))
    checks = Checks()
    f32 = Dump(args, "f32")
    mask = same_until_tie(f32, oracle, checks)
    difference = np.abs(f32.probabilities - oracle.probabilities).max(axis=2)
    checks.at_most("f32 probability from numpy's", difference[mask].max(),
                   F32_BOUND)
    checks.at_most("f32 coverage from numpy's",
                   np.abs(f32.coverage - oracle.coverage)[mask].max(),
                   COVERAGE_BOUND)
    checks.at_most("fall of coverage from one step to the next",
                   max(0.0, -np.diff(f32.coverage, axis=1).min()), 0)
    checks.at_most("last coverage from 1", np.abs(f32.coverage[:, -1] - 1).max(),
                   COVERAGE_BOUND)

    bf16 = Dump(args, "bf16")
    if bf16.skipped:
        print("skipped: bf16, which this CPU lacks")
    else:
        checks.at_most("rows whose order differs between bf16 and f32",
                       (bf16.experts != f32.experts).any(axis=1).sum(), 0)
        checks.at_most("bf16 coverage from f32's",
                       np.abs(bf16.coverage - f32.coverage).max(), 0)
        difference = np.abs(bf16.probabilities - oracle.probabilities).max(axis=2)
        checks.at_most("bf16 probability from numpy's", difference[mask].max(),
                       BF16_BOUND)
        top = bf16.probabilities.argmax(axis=2) != f32.probabilities.argmax(axis=2)
        print(f"     bf16: mean difference {difference[mask].mean():.3g}; another"
              f" class than f32 in {top.mean():.3%} of the steps")
    sys.exit(1 if checks.failed else 0)


if __name__ == "__main__":
    main()
