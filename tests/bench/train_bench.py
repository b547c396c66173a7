#!/usr/bin/env python3
"""Training speed of mre-train against an eager PyTorch twin of the same model.

  /usr/bin/python3 tests/bench/train_bench.py --mre_train=build/release/model/cli/mre-train

The twin is what one writes from the equations in model/README.md: a loop over
the steps, each of which sorts the batch by expert and calls every expert that
has rows; autograd does the rest. Both sides have the shipped recipe's sizes
(width 64, hidden 64, 4 layers of 8 experts, context 32), batches of 256, the
loss at every exit, AdamW, norm clipping, f32 and the same number of threads, on
images that lie in memory, without augmentation. Runs alternate; the time of
reading data, starting and evaluating is on neither side. The losses of the last
steps are printed too: the same work gives about the same.

Needs Debian's python3-torch and python3-numpy; without them it says so and
exits with 77. Asserts nothing.
"""

import argparse
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

from report import machine, spread

WIDTH, HIDDEN, LAYERS, EXPERTS, CONTEXT, CLASSES = 64, 64, 4, 8, 32, 10
TOTAL = LAYERS * EXPERTS
BATCH = 256
RATE, DECAY, CLIP, NOISE = 3e-3, 0.05, 1.0, 0.05
WARM_UP = 20  # steps that are not timed, on both sides


def exit_weights(steps):
    """Of the loss at steps 0..steps, as --exit_weights=0.2:0.5."""
    weights = [0.2] + [t**-0.5 for t in range(1, steps + 1)]
    return [w / sum(weights) for w in weights]


def read_images(directory, count):
    """Normalised images [count, 784] and labels, as tensors."""
    import numpy as np
    import torch

    def read(name, offset):
        path = os.path.join(directory, f"train-{name}-ubyte.gz")
        with gzip.open(path) as file:
            return np.frombuffer(file.read(), np.uint8, offset=offset).copy()
    x = read("images-idx3", 16).reshape(-1, 28 * 28)[:count] / 255.0
    x = (x - x.mean()) / x.std()
    y = read("labels-idx1", 8)[:count]
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y).long()


def make_twin():
    """The model as a torch module; torch is imported only where it is used."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    class Twin(nn.Module):

        def __init__(self):
            super().__init__()

            def gaussian(deviation, *shape):
                return nn.Parameter(torch.randn(*shape) * deviation)

            def each(make):
                return nn.ParameterList([make() for _ in range(TOTAL)])
            self.stem = nn.Linear(28 * 28, WIDTH)
            self.up = each(lambda: gaussian((2 / WIDTH)**0.5, HIDDEN, WIDTH))
            self.up_bias = each(lambda: nn.Parameter(torch.zeros(HIDDEN)))
            self.down = each(lambda: gaussian(0.5 / HIDDEN**0.5, WIDTH, HIDDEN))
            self.down_bias = each(lambda: nn.Parameter(torch.zeros(WIDTH)))
            self.norm = nn.Parameter(torch.ones(LAYERS, WIDTH))
            self.norm_bias = nn.Parameter(torch.zeros(LAYERS, WIDTH))
            self.head_norm = nn.LayerNorm(WIDTH)
            self.head = nn.Linear(WIDTH, CLASSES)
            self.context = nn.Linear(WIDTH, CONTEXT)
            self.gates = nn.ModuleList(
                [nn.Linear(CONTEXT, EXPERTS) for _ in range(LAYERS)])
            for gate in self.gates:
                nn.init.normal_(gate.weight, std=0.3)
                nn.init.zeros_(gate.bias)
            self.transitions = nn.ParameterList(
                [gaussian(0.5, EXPERTS, EXPERTS) for _ in range(LAYERS - 1)])

        def routing(self, h):
            """p [B,N], then T_1.. [B,N,N]."""
            u = torch.tanh(self.context(h))
            yield F.softmax(self.gates[0](u), -1)
            for l in range(1, LAYERS):
                gate = self.gates[l](u).unsqueeze(1)
                yield F.softmax(gate + self.transitions[l - 1], -1)

        def run_experts(self, chosen, x):
            """Each row's chosen expert of x [B,d]: one call an expert."""
            order = torch.argsort(chosen)
            counts = torch.bincount(chosen, minlength=TOTAL).tolist()
            outputs = []
            for e, rows in enumerate(x[order].split(counts)):
                if len(rows) == 0:
                    continue
                hidden = F.relu(F.linear(rows, self.up[e], self.up_bias[e]))
                outputs.append(F.linear(hidden, self.down[e],
                                        self.down_bias[e]))
            return torch.empty_like(x).index_copy(0, order, torch.cat(outputs))

        def forward(self, x, steps):
            """The logits of steps 0..steps."""
            h = self.stem(x)
            rows = torch.arange(len(x))
            levels = torch.arange(LAYERS + 1)
            routing = list(self.routing(h))
            streams = h.unsqueeze(1).expand(-1, LAYERS + 1, -1)
            active = torch.zeros(len(x), TOTAL)
            exits = [self.head(self.head_norm(h))]
            for _ in range(steps):
                flow = routing[0]
                rates = []
                for l in range(LAYERS):
                    here = active[:, l * EXPERTS:(l + 1) * EXPERTS]
                    rates.append(flow * (1 - here))
                    if l + 1 < LAYERS:
                        passing = (flow * here).unsqueeze(1)
                        flow = torch.bmm(passing, routing[l + 1]).squeeze(1)
                score = torch.log(torch.cat(rates, 1) + 1e-8) - 1e4 * active
                uniform = torch.rand_like(score).clamp_(1e-12, 1 - 1e-7)
                score = score - NOISE * torch.log(-torch.log(uniform))
                chosen = score.argmax(-1)
                soft = F.softmax(score, -1).gather(1, chosen.unsqueeze(1))
                active = active + F.one_hot(chosen, TOTAL)
                layer = chosen // EXPERTS
                z = F.layer_norm(streams[rows, layer], (WIDTH,))
                z = z * self.norm[layer] + self.norm_bias[layer]
                y = self.run_experts(chosen, z) * (1 + soft - soft.detach())
                above = (levels > layer.unsqueeze(1)).float().unsqueeze(-1)
                streams = streams + y.unsqueeze(1) * above
                exits.append(self.head(self.head_norm(streams[:, LAYERS])))
            return exits

    return Twin()


def run_twin(args):
    """One run of the twin: prints samples a second and the last loss."""
    import torch
    import torch.nn.functional as F
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    x, y = read_images(args.data_dir, args.twin_batches * BATCH)
    model = make_twin()
    matrices = [p for n, p in model.named_parameters()
                if p.dim() > 1 and n.split(".")[0] in
                ("stem", "up", "down", "head")]
    decayed = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in decayed]
    optimiser = torch.optim.AdamW([{"params": matrices},
                                   {"params": others, "weight_decay": 0}],
                                  lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, RATE, total_steps=args.twin_batches, cycle_momentum=False)
    weights = exit_weights(args.steps)
    order = torch.randperm(len(x))
    losses = []
    for step in range(args.twin_batches):
        if step == args.twin_warm_up:
            begin = time.perf_counter()
        batch = order[step * BATCH:(step + 1) * BATCH]
        labels = y[batch]
        exits = model(x[batch], args.steps)
        loss = sum(w * F.cross_entropy(logits, labels)
                   for w, logits in zip(weights, exits))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    seconds = time.perf_counter() - begin
    timed = (args.twin_batches - args.twin_warm_up) * BATCH
    print(timed / seconds, statistics.mean(losses[-WARM_UP:]))


def environment(threads):
    return {**os.environ, "OMP_NUM_THREADS": str(threads)}


def time_twin(args, threads, steps, batches, warm_up=5):
    text = subprocess.run(
        [sys.executable, __file__, "--mre_train=", "--twin",
         f"--data_dir={args.data_dir}", f"--threads={threads}",
         f"--steps={steps}", f"--twin_batches={batches}",
         f"--twin_warm_up={warm_up}"],
        check=True, stdout=subprocess.PIPE, env=environment(threads)).stdout
    return [float(word) for word in text.split()]


def time_ours(args, threads, steps, batches):
    """Samples a second between the first and the last line of the log."""
    with tempfile.TemporaryDirectory() as directory:
        log = os.path.join(directory, "log.jsonl")
        subprocess.run(
            [args.mre_train, "fit", "--dataset=fashion-mnist",
             f"--data_dir={args.data_dir}", "--epochs=1", "--augment=none",
             f"--limit_train={batches * BATCH}", f"--batch={BATCH}",
             f"--max_steps={steps}", f"--threads={threads}",
             "--router_training=straight-through",
             f"--log_every={WARM_UP}", f"--log={log}",
             f"--out={os.path.join(directory, 'model.safetensors')}"],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=environment(threads))
        with open(log) as file:
            lines = [json.loads(line) for line in file]
    lines = [line for line in lines if line["event"] == "train"]
    timed = (lines[-1]["step"] - lines[0]["step"]) * BATCH
    return [timed / (lines[-1]["seconds"] - lines[0]["seconds"]),
            lines[-1]["loss"]]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--mre_train", required=True, help="the program")
    parser.add_argument("--data_dir",
                        default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--threads", default="1,2",
                        help="thread counts, with commas between them")
    parser.add_argument("--steps", default="16,32",
                        help="steps to unroll, with commas between them")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--batches", type=int, default=120,
                        help="batches of each of our runs")
    parser.add_argument("--twin_batches", type=int, default=30,
                        help="batches of each of the twin's runs")
    parser.add_argument("--twin", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--twin_warm_up", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.twin:
        args.threads, args.steps = int(args.threads), int(args.steps)
        run_twin(args)
        return
    if args.batches < 2 * WARM_UP or args.batches % WARM_UP != 0:
        parser.error(f"--batches: expected a multiple of {WARM_UP}, at least "
                     f"{2 * WARM_UP}, got {args.batches}")
    if args.twin_batches < 10:
        parser.error("--twin_batches: expected at least 10, got "
                     f"{args.twin_batches}")
    try:
        import torch
    except ImportError:
        print("train_bench: skipped: no PyTorch in this Python "
              "(apt-get install python3-torch python3-numpy, and run it with "
              "/usr/bin/python3)")
        sys.exit(77)
    print(f"{machine()}; torch {torch.__version__}")
    print(f"samples/s: median and range of {args.runs} alternated runs; "
          "the ratio is taken run by run\n")
    print("| threads | steps | mre-train | eager PyTorch | ratio |")
    print("| --- | --- | --- | --- | --- |")
    threads = [int(n) for n in args.threads.split(",")]
    steps = [int(n) for n in args.steps.split(",")]
    for count, length in [(c, s) for c in threads for s in steps]:
        ours, twin = [], []
        for _ in range(args.runs):
            ours.append(time_ours(args, count, length, args.batches)[0])
            twin.append(time_twin(args, count, length, args.twin_batches)[0])
        ratios = [a / b for a, b in zip(ours, twin)]
        print(f"| {count} | {length} | {spread(ours, '{:,.0f}')} "
              f"| {spread(twin, '{:,.0f}')} | {spread(ratios, '{:.1f}')} |",
              flush=True)
    # The same number of batches, for the losses.
    mine = time_ours(args, threads[-1], steps[0], args.batches)[1]
    theirs = time_twin(args, threads[-1], steps[0], args.batches)[1]
    print(f"\nmean loss of steps {args.batches - WARM_UP + 1} to "
          f"{args.batches}, {steps[0]} unrolled: mre-train {mine:.3f}, "
          f"twin {theirs:.3f}")


if __name__ == "__main__":
    main()
