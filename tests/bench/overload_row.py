"""The row of serve_bench.py that asks for more than the server can do."""

from report import spread
from line import Line, ratios

OBJECTIVE_MS = 500
IN_FLIGHT = 256  # of the closed loop that finds the capacity
REQUESTS = 10_000  # of each run: every test image once


def overload(bench):
    """Goodput (answers within OBJECTIVE_MS) in an open loop at the capacity and at
    twice that, all steps asked, brown-out on and off; a server of its own for each
    run. What a call costs beside its steps no brown-out lowers, and the generator
    shares the machine."""
    good = {key: [] for key in ("off 1", "off 2", "on 1", "on 2")}
    capacities, given_up, granted = [], [], []

    def run(brownout, **loop):
        with bench.programs.server(f"--brownout={brownout}") as server:
            return bench.programs.load(
                server, "--method=stream", f"--requests={REQUESTS}",
                f"--objective_ms={OBJECTIVE_MS}", **loop)
    for _ in bench.repeat():
        closed = run("off", streams=IN_FLIGHT)
        capacity = closed["requests_per_s"]
        capacities.append(capacity)
        for key, figures in good.items():
            brownout, times = key.split()
            report = run(brownout, rate=int(times) * capacity)
            figures.append(report["goodput_per_s"] or 0)
        # The last was at twice the capacity, brown-out on.
        granted.append(report["mean_steps"] or 0)
        given_up.append(100 * (closed["accuracy"] - (report["accuracy"] or 0)))
    lines = []
    for brownout in ("on", "off"):
        once, twice = good[brownout + " 1"], good[brownout + " 2"]
        lines.append(Line(
            f"answers/s within {OBJECTIVE_MS} ms at twice the capacity of "
            f"{spread(capacities, '{:,.0f}')}, brown-out {brownout}",
            spread(twice, "{:,.0f}"), "at the capacity: "
            + spread(once, "{:,.0f}"),
            ratios(twice, [max(value, 1) for value in once]), "{:.2f}",
            *((0.9, 1.1) if brownout == "on" else ())))
    lines.append(Line("accuracy given up at twice the capacity, points",
                      spread(granted, "{:.1f}") + " steps", "all steps",
                      given_up, "{:.2f}"))
    return lines
