"""Goodput of mre-server at its capacity and at twice that, with and without
brown-out, in alternated runs. tests/bench/README.md says more."""

import argparse
import json
import os
import pathlib
import statistics
import subprocess


class Server:
    def __init__(self, args, brownout):
        self.process = subprocess.Popen(
            [args.mre_server, f"--model_repository={args.model_repository}",
             "--grpc_port=0", "--metrics_port=0", f"--brownout={brownout}",
             *args.server_flag],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        ready = self.process.stdout.readline().split()
        self.grpc, self.metrics = (word.split("=")[1] for word in ready[2:4])

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.terminate()
        self.process.wait()


def load(args, server, *loop):
    report = subprocess.run(
        [args.mre_loadtest, f"--server={server.grpc}", f"--model={args.model}",
         f"--method={args.method}", f"--requests={args.requests}",
         f"--objective_ms={args.objective_ms}", "--json", "--quiet",
         f"--metrics={server.metrics}", *loop],
        stdout=subprocess.PIPE, check=True, text=True).stdout
    return json.loads(report)


def line(name, report):
    all_ = report["all"]
    stops = all_["stop_reasons"]
    print(f"{name:>8} {report['config'].get('rate') or 0:8.0f} "
          f"{all_['requests_per_s']:8.0f} {all_['goodput_per_s']:8.0f} "
          f"{all_['latency_ms']['p50'] or 0:8.1f} "
          f"{all_['latency_ms']['p99'] or 0:8.1f} "
          f"{all_['failed']:8} {stops.get('overload', 0):8} "
          f"{all_['mean_steps'] or 0:6.2f} {all_['accuracy'] or 0:.4f} "
          f"{report['server']['cores'] or 0:6.2f} "
          f"{report['client']['cores'] or 0:6.2f}", flush=True)


def machine():
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo")
                if line.startswith("model name")), "unknown CPU")
    revision = subprocess.run(["git", "describe", "--always", "--dirty"],
                              stdout=subprocess.PIPE, text=True).stdout.strip()
    return (f"{cpu}, {len(os.sched_getaffinity(0))} CPUs, revision {revision}, "
            f"load {os.getloadavg()[0]:.1f}")


def spread(name, values):
    print(f"{name}: median {statistics.median(values):.3f}, range "
          f"{min(values):.3f} to {max(values):.3f}, {len(values)} runs")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    build = pathlib.Path("build/release")
    parser.add_argument("--mre_server", default=build / "server/mre-server")
    parser.add_argument("--mre_loadtest",
                        default=build / "client/loadtest/mre-loadtest")
    parser.add_argument("--model_repository", default="model/zoo")
    parser.add_argument("--model", default="fashion-mnist")
    parser.add_argument("--method", default="stream",
                        choices=["stream", "predict", "interactive"])
    parser.add_argument("--objective_ms", type=float, default=200)
    parser.add_argument("--in_flight", type=int, default=256,
                        help="of the closed loop that finds the capacity")
    parser.add_argument("--requests", type=int, default=10000,
                        help="of each run; 10000 is each test image once")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--load", type=float, default=2,
                        help="of the overload, in capacities")
    parser.add_argument("--server_flag", action="append", default=[],
                        help="e.g. --server_flag=--max_active_rows=256")
    args = parser.parse_args()
    print(machine())
    print(f"{'run':>8} {'rate':>8} {'ended/s':>8} {'good/s':>8} {'p50 ms':>8} "
          f"{'p99 ms':>8} {'failed':>8} {'lowered':>8} {'steps':>6} {'acc':>6} "
          f"{'server':>6} {'client':>6}  (CPUs)")
    ratios = {"on": [], "off": []}
    against = []
    given_up = []
    for _ in range(args.runs):
        good = {}
        with Server(args, "off") as server:
            closed = load(args, server, f"--concurrency={args.in_flight}")
        line("closed", closed)
        capacity = closed["all"]["requests_per_s"]
        for brownout in ("off", "on"):
            for times in (1, args.load):
                with Server(args, brownout) as server:
                    report = load(args, server, f"--rate={times * capacity}")
                line(f"{times:g}x {brownout}", report)
                good[brownout, times] = report["all"]["goodput_per_s"]
            ratios[brownout].append(good[brownout, args.load] /
                                    max(good[brownout, 1], 1))
        against.append(good["on", args.load] / max(good["off", args.load], 1))
        # Of all steps, and of those that the last run, on at --load, granted.
        given_up.append(closed["all"]["accuracy"] - report["all"]["accuracy"])
    for brownout in ("off", "on"):
        spread(f"goodput at {args.load:g} times the capacity against at the "
               f"capacity, brown-out {brownout}", ratios[brownout])
    spread(f"goodput at {args.load:g} times, on against off", against)
    spread(f"accuracy given up at {args.load:g} times, on", given_up)


if __name__ == "__main__":
    main()
