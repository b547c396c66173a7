#!/usr/bin/env python3
"""claims.py on results that nobody trained, to the letter.

    claims_test.py CLAIMS
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

CLAIMS = sys.argv.pop()


def result(run, seed, accuracy, loss=1.0, epochs=None, parameters=1000,
           noise=None):
    """accuracy: after each step; epochs: at the last step, by epoch."""
    evaluation = {
        "steps": [{"accuracy": a, "loss": loss, "macs": 100 * (t + 1),
                   "parameters": 200 * (t + 1)}
                  for t, a in enumerate(accuracy)],
        "expert_load": {"least": 0.25, "max_over_mean": 1.5, "dead": 2},
        "paths": {"entropy_bits": 3.5, "distinct": 12},
        "curve": [{"accuracy": a, "macs": m}
                  for a, m in ((0.5, 100), (0.75, 300))],
    }
    if noise is not None:
        evaluation["robustness"] = {"loss": [noise]}
    return {"run": run, "seed": seed, "parameters": parameters,
            "epochs": [{"epoch": e + 1, "accuracy": [a]}
                       for e, a in enumerate(epochs or [accuracy[-1]])],
            "evaluation": evaluation}


class ClaimsTest(unittest.TestCase):
    def claims(self, plan, results):
        """What claims.py prints of these."""
        with tempfile.TemporaryDirectory() as directory:
            folder = pathlib.Path(directory) / plan
            folder.mkdir()
            (folder / "results.jsonl").write_text(
                "".join(json.dumps(r) + "\n" for r in results))
            done = self.run_on(directory)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    @staticmethod
    def run_on(directory):
        return subprocess.run([sys.executable, CLAIMS, directory],
                              capture_output=True, text=True, check=False)

    def test_accuracies_are_means_over_seeds(self):
        text = self.claims("fashion-mnist-mlp", [
            result("topk-4", 0, [0.5, 0.625, 0.75], epochs=[0.5, 0.875, 0.75]),
            result("topk-4", 1, [0.5, 0.875, 0.75]),
            result("mre-pairs", 0, [0.5, 0.625, 0.875])])
        self.assertIn(
            "| run | step 0, % | step 1 | last step | gain 1 to last | least "
            "used expert | max/mean load |\n"
            "| --- | --- | --- | --- | --- | --- | --- |\n"
            "| mre-pairs | 50.00 (1) | 62.50 (1) | 87.50 (1) | 25.00 (1) | "
            "25.0 % | 1.50 |\n"
            "| topk-4 | 50.00 +- 0.00 (2) | 75.00 +- 17.68 (2) | 75.00 +- 0.00 "
            "(2) | 0.00 +- 17.68 (2) | 25.0 % | 1.50 |\n", text)
        # 0.875 and 0.75 at best.
        self.assertIn("Epochs to 81.25 %, the mean of topk-4's best epochs",
                      text)
        self.assertIn("| topk-4 | 2 - |\n| mre-pairs | 1 |\n", text)
        self.assertIn("| topk-4 | exit 1: -12.50, exit 2: +12.50 |\n", text)

    def test_runs_without_a_common_seed_have_no_difference(self):
        text = self.claims("fashion-mnist-mlp", [
            result("mre-pairs", 0, [0.5, 0.75, 1]),
            result("mre-random", 1, [0.5, 0.5, 0.5]),
            result("mre-straight", 1, [0.5, 0.75, 1])])
        self.assertIn("mre-pairs minus mre-random, points: step 1 -, last step "
                      "-\n", text)
        self.assertIn("mre-straight minus mre-random, points: step 1 25.00 "
                      "(1), last step 50.00 (1)\n", text)

    def test_confidence_is_compared_at_the_macs_of_plain_networks(self):
        text = self.claims("fashion-mnist-mlp", [
            result("mre-pairs", 0, [0.5, 0.6, 0.7, 0.8]),
            result("plain-1", 0, [0.25, 0.5]),
            result("plain-8", 0, [0.25, 0.3, 0.4, 0.5]),
            result("plain-16", 0, [0.25, 0.3, 0.4, 0.5, 0.5])])
        # 200 MACs are halfway between 0.5 and 0.75; 400 are those of all steps,
        # which no confidence ends; 500 are outside.
        self.assertIn("| plain-1 | 200 | 50.00 | 62.50 | +12.50 |\n"
                      "| plain-8 | 400 | 50.00 | 80.00 | +30.00 |\n"
                      "| plain-16 | 500 | 50.00 | - | - |\n", text)

    def test_rays_name_the_smallest_plain_network_as_good(self):
        text = self.claims("raytracing", [
            result("usps-rays", 0, [0.25, 0.5], epochs=[0.75, 0.5]),
            result("usps-mlp-8", 0, [0.25, 0.25], parameters=100),
            result("usps-mlp-16", 0, [0.25, 0.5], parameters=200),
            result("mnist-rays", 0, [0.25, 0.5], parameters=500)])
        self.assertIn(
            "| mnist | 50.00 (1) | 0.00 (1) | 400 of 500 | 80 % | none that "
            "was tried |\n"
            "| usps | 50.00 (1) | 25.00 (1) | 400 of 1000 | 40 % | usps-mlp-16:"
            " 50.00 (1) %, 200 |\n", text)
        self.assertIn("On the mean over 2 sets an input touches 60 % of the "
                      "parameters, 40 % fewer than there are.\n", text)

    def test_shared_routers_are_compared_with_their_own_baseline(self):
        text = self.claims("text-pathmoe", [
            result("L4-B1", 0, [0.5], loss=2, noise=2.5),
            result("L4-B2", 0, [0.5], loss=1.5, noise=2),
            result("L4-B1-unbalanced", 0, [0.5], loss=1, noise=1),
            result("L4-B2-unbalanced", 0, [0.5], loss=1.25, noise=1.25),
            result("L12-B2", 0, [0.5], loss=1, noise=1)])
        self.assertIn(
            "| L4-B1 | 2.000 (1) |  | 0.500 (1) | 12 | 3.5 | 2.0 |\n"
            "| L4-B2 | 1.500 (1) | -0.50 (1) | 0.500 (1) | 12 | 3.5 | 2.0 |\n"
            "| L4-B1-unbalanced | 1.000 (1) |  | 0.000 (1) | 12 | 3.5 | 2.0 |\n"
            "| L4-B2-unbalanced | 1.250 (1) | 0.25 (1) | 0.000 (1) | 12 | 3.5 |"
            " 2.0 |\n"
            "| L12-B2 | 1.000 (1) |  | 0.000 (1) | 12 | 3.5 | 2.0 |\n", text)

    def test_nothing_to_read_is_an_error(self):
        for directory in ("/nonexistent", tempfile.gettempdir()):
            done = self.run_on(directory)
            self.assertEqual(done.returncode, 1)
            self.assertIn("claims.py: expected PLAN/results.jsonl in "
                          f"{directory}", done.stderr)


if __name__ == "__main__":
    unittest.main()
