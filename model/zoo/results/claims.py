#!/usr/bin/env python3
"""Prints this folder's claims as Markdown, from what `mre-train compare` wrote.

    claims.py [DIR]

DIR (default: this folder) has a folder a plan, with its results.jsonl. Numbers
are means over the seeds, "+-" their standard deviation, how many they are in
brackets; differences are taken seed by seed. What a plan has not trained yet is
left out, or "-".
"""

import json
import pathlib
import statistics
import sys

PLANS = {"fashion-mnist-mlp", "fashion-mnist-conv",
         "fashion-mnist-conv-long", "cifar10-conv", "raytracing",
         "text-pathmoe"}
RAY_SETS = ("mnist", "fashion-mnist", "usps", "cifar10")


class Run:
    """A plan's run: its results, by seed."""

    def __init__(self, by_seed):
        self.by_seed = by_seed

    def of(self, value):
        """value(result) of each seed."""
        return {seed: value(r) for seed, r in self.by_seed.items()}

    def accuracy(self, step):
        return self.of(lambda r: r["evaluation"]["steps"][step]["accuracy"])

    def mean(self, value):
        return statistics.mean(self.of(value).values())

    def points(self):
        """Mean (MACs, accuracy) after each step."""
        count = len(next(iter(self.by_seed.values()))["evaluation"]["steps"])
        step = lambda name, t: self.mean(
            lambda r: r["evaluation"]["steps"][t][name])
        return [(step("macs", t), step("accuracy", t)) for t in range(count)]

    def confidence_points(self):
        """Mean (MACs, accuracy) of stopping at each confidence, and at none."""
        count = len(next(iter(self.by_seed.values()))["evaluation"]["curve"])
        rule = lambda name, i: self.mean(
            lambda r: r["evaluation"]["curve"][i][name])
        return [(rule("macs", i), rule("accuracy", i))
                for i in range(count)] + self.points()[-1:]


def load(directory):
    """{plan: {run: Run}}"""
    plans = {}
    for file in sorted(directory.glob("*/results.jsonl")):
        runs = {}
        for line in file.read_text().splitlines():
            result = json.loads(line)
            runs.setdefault(result["run"], {})[result["seed"]] = result
        plans[file.parent.name] = {name: Run(r) for name, r in runs.items()}
    return plans


def spread(values, scale=100.0, digits=2):
    values = [v * scale for v in values]
    if not values:
        return "-"
    text = f"{statistics.mean(values):.{digits}f}"
    if len(values) > 1:
        text += f" +- {statistics.stdev(values):.{digits}f}"
    return f"{text} ({len(values)})"


def difference(one, other, scale=100.0):
    seeds = sorted(set(one) & set(other))
    return spread([one[s] - other[s] for s in seeds], scale)


def interpolate(points, macs):
    """Accuracy at `macs` on a line through points; None outside of them."""
    points = sorted(points)
    for (a, low), (b, high) in zip(points, points[1:]):
        if a <= macs <= b:
            return low if a == b else low + (high - low) * (macs - a) / (b - a)
    return None


def table(header, rows):
    print("| " + " | ".join(header) + " |")
    print("|" + " --- |" * len(header))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print()


def accuracies(title, runs, names):
    """Accuracy after no, one and all steps, and how even the experts' load is."""
    names = [n for n in names if n in runs]
    if not names:
        return
    print(f"### {title}\n")
    rows = []
    for name in names:
        run = runs[name]
        last, first = run.accuracy(-1), run.accuracy(1)
        load = [r["evaluation"]["expert_load"] for r in run.by_seed.values()]
        rows.append((name, spread(run.accuracy(0).values()),
                     spread(first.values()), spread(last.values()),
                     difference(last, first),
                     f"{100 * statistics.mean(l['least'] for l in load):.1f} %",
                     f"{statistics.mean(l['max_over_mean'] for l in load):.2f}"))
    table(("run", "step 0, %", "step 1", "last step", "gain 1 to last",
           "least used expert", "max/mean load"), rows)


def learned_against_random(runs, learned, control):
    if learned not in runs or control not in runs:
        return
    one, other = runs[learned], runs[control]
    print(f"{learned} minus {control}, points: step 1 "
          f"{difference(one.accuracy(1), other.accuracy(1))}, last step "
          f"{difference(one.accuracy(-1), other.accuracy(-1))}\n")


def epochs_to(run, target):
    """Epochs of each seed until its last step reaches target; None: never."""
    found = {}
    for seed, result in run.by_seed.items():
        reached = [e["epoch"] for e in result["epochs"]
                   if e["accuracy"][-1] >= target]
        found[seed] = reached[0] if reached else None
    return found


def epochs(runs, baseline, against):
    if baseline not in runs:
        return
    best = runs[baseline].mean(
        lambda r: max(e["accuracy"][-1] for e in r["epochs"]))
    print(f"Epochs to {100 * best:.2f} %, the mean of {baseline}'s best "
          "epochs (\"-\": a seed that never gets there):\n")
    rows = []
    for name in [baseline] + [n for n in against if n in runs]:
        found = epochs_to(runs[name], best)
        rows.append((name, " ".join("-" if found[s] is None else str(found[s])
                                    for s in sorted(found))))
    table(("run", "epochs, by seed"), rows)


def confidence_against_plain(runs, name):
    plain = sorted((n for n in runs if n.startswith("plain-")),
                   key=lambda n: int(n.split("-")[1]))
    if name not in runs or not plain:
        return
    print(f"{name}, stopped by its confidence, at the MACs of plain networks "
          "(interpolated):\n")
    rows = []
    for other in plain:
        macs, accuracy = runs[other].points()[-1]
        ours = interpolate(runs[name].confidence_points(), macs)
        rows.append((other, f"{macs:.0f}", f"{100 * accuracy:.2f}",
                     "-" if ours is None else f"{100 * ours:.2f}",
                     "-" if ours is None else f"{100 * (ours - accuracy):+.2f}"))
    table(("plain network", "MACs", "its accuracy, %", name, "difference"), rows)


def equal_macs(runs, name, others):
    others = [n for n in others if n in runs]
    if name not in runs or not others:
        return
    print(f"{name}, step by step, minus others at their exits' MACs, points "
          "(interpolated):\n")
    rows = []
    for other in others:
        cells = []
        for step, (macs, accuracy) in enumerate(runs[other].points()):
            ours = interpolate(runs[name].points(), macs)
            if step > 0 and ours is not None:
                cells.append(f"exit {step}: {100 * (ours - accuracy):+.2f}")
        rows.append((other, ", ".join(cells)))
    table(("against", "at its exits"), rows)


def rays(runs):
    rows = []
    shares = []
    for name in RAY_SETS:
        if f"{name}-rays" not in runs:
            continue
        run = runs[f"{name}-rays"]
        last = run.accuracy(-1)
        best = run.of(lambda r: max(e["accuracy"][-1] for e in r["epochs"]))
        touched = run.of(lambda r: r["evaluation"]["steps"][-1]["parameters"])
        total = run.mean(lambda r: r["parameters"])
        shares.append(statistics.mean(touched.values()) / total)
        equal = [other for other in
                 sorted((n for n in runs if n.startswith(f"{name}-mlp-")),
                        key=lambda n: int(n.split("-")[-1]))
                 if statistics.mean(runs[other].accuracy(-1).values()) >=
                 statistics.mean(last.values())]
        smallest = "none that was tried"
        if equal:
            other = runs[equal[0]]
            smallest = (f"{equal[0]}: "
                        f"{spread(other.accuracy(-1).values())} %, "
                        f"{other.mean(lambda r: r['parameters']):.0f}")
        rows.append((name, spread(last.values()),
                     difference(best, last),
                     f"{statistics.mean(touched.values()):.0f} of {total:.0f}",
                     f"{100 * shares[-1]:.0f} %", smallest))
    if not rows:
        return
    print("### Ray tracing\n")
    table(("set", "accuracy, %", "best epoch minus last", "parameters touched",
           "share", "smallest plain network as good: accuracy, parameters"),
          rows)
    share = 100 * statistics.mean(shares)
    print(f"On the mean over {len(shares)} sets an input touches {share:.0f} % "
          f"of the parameters, {100 - share:.0f} % fewer than there are.\n")


def shared_routers(runs):
    if not runs:
        return
    print("### Shared routers\n")
    rows = []
    for name, run in runs.items():
        base = runs.get(name.split("-")[0] + "-B1" +
                        ("-unbalanced" if "unbalanced" in name else ""))
        loss = run.of(lambda r: r["evaluation"]["steps"][-1]["loss"])
        against = "" if base is None or base is run else difference(
            loss, base.of(lambda r: r["evaluation"]["steps"][-1]["loss"]), 1)
        noisy = run.of(lambda r: r["evaluation"]["robustness"]["loss"][-1] -
                       r["evaluation"]["steps"][-1]["loss"])
        entropy = run.mean(lambda r: r["evaluation"]["paths"]["entropy_bits"])
        distinct = run.mean(lambda r: r["evaluation"]["paths"]["distinct"])
        dead = run.mean(lambda r: r["evaluation"]["expert_load"]["dead"])
        rows.append((name, spread(loss.values(), 1, 3), against,
                     spread(noisy.values(), 1, 3), f"{distinct:.0f}",
                     f"{entropy:.1f}", f"{dead:.1f}"))
    table(("run", "loss, nats", "minus independent routers", "rise with noise",
           "distinct paths", "entropy, bits", "dead experts"), rows)


def main():
    if sys.argv[1:] in (["-h"], ["--help"]):
        print(__doc__, end="")
        return
    directory = pathlib.Path(
        sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    plans = load(directory)
    if not PLANS & set(plans):
        sys.exit(f"claims.py: expected PLAN/results.jsonl in {directory}, PLAN "
                 f"one of {', '.join(sorted(PLANS))}")
    mlp = plans.get("fashion-mnist-mlp", {})
    learned = ("mre-pairs", "mre-straight", "mre-shared")
    dense = ("topk-1", "topk-1-unbalanced", "topk-2", "topk-4", "adak", "mlp")
    accuracies("Fashion-MNIST, mlp experts", mlp,
               learned + ("mre-random", "mre-shared-random") + dense)
    learned_against_random(mlp, "mre-pairs", "mre-random")
    learned_against_random(mlp, "mre-straight", "mre-random")
    learned_against_random(mlp, "mre-shared", "mre-shared-random")
    epochs(mlp, "topk-4", learned)
    confidence_against_plain(mlp, "mre-pairs")
    equal_macs(mlp, "mre-pairs", dense)
    conv = plans.get("fashion-mnist-conv", {})
    accuracies("Fashion-MNIST, conv experts", conv,
               ("mre", "mre-patches", "mre-random", "topk-2", "cnn"))
    learned_against_random(conv, "mre", "mre-random")
    epochs(conv, "topk-2", ("mre",))
    confidence_against_plain(conv, "mre")
    equal_macs(conv, "mre", ("topk-2", "cnn"))
    accuracies("Fashion-MNIST, conv experts, twice the epochs",
               plans.get("fashion-mnist-conv-long", {}), ("mre",))
    cifar = plans.get("cifar10-conv", {})
    accuracies("CIFAR-10, conv experts", cifar, ("mre", "topk-2"))
    epochs(cifar, "topk-2", ("mre",))
    equal_macs(cifar, "mre", ("topk-2",))
    rays(plans.get("raytracing", {}))
    shared_routers(plans.get("text-pathmoe", {}))


if __name__ == "__main__":
    main()
