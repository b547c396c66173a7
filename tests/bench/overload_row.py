"""The row of serve_bench.py that asks for more than the server can do."""

from report import spread
from line import Line, ratios

OBJECTIVE_MS = 500
IN_FLIGHT = 256  # of the closed loop that finds the capacity
REQUESTS = 10_000  # of each run: every test image once


def overload(bench):
    """Goodput (answers within OBJECTIVE_MS) in an open loop at twice the capacity,
    all steps asked, brown-out on and off, against that of a closed loop at the
    capacity just before; a server of its own for each run. What a call costs beside
    its steps no brown-out lowers, and the generator shares the machine."""
    capacities, given_up, granted = [], [], []
    good = {"on": [], "off": []}

    def run(brownout, **loop):
        with bench.programs.server(f"--brownout={brownout}") as server:
            return bench.programs.load(
                server, "--method=stream", f"--requests={REQUESTS}",
                f"--objective_ms={OBJECTIVE_MS}", **loop)
    for _ in bench.repeat():
        closed = run("off", streams=IN_FLIGHT)
        capacities.append(closed["goodput_per_s"])
        for brownout, figures in good.items():
            report = run(brownout, rate=2 * closed["requests_per_s"])
            figures.append(report["goodput_per_s"])
            if brownout == "on":
                granted.append(report["mean_steps"])
                given_up.append(
                    100 * (closed["accuracy"] - report["accuracy"]))
    lines = [Line(f"answers/s within {OBJECTIVE_MS} ms at twice the capacity, "
                  f"brown-out {brownout}", spread(figures, "{:,.0f}"),
                  "at the capacity: " + spread(capacities, "{:,.0f}"),
                  ratios(figures, capacities), "{:.2f}",
                  *((0.9, 1.1) if brownout == "on" else ()))
             for brownout, figures in good.items()]
    lines.append(Line("accuracy given up at twice the capacity, points",
                      spread(granted, "{:.1f}") + " steps", "all steps",
                      given_up, "{:.2f}"))
    return lines
