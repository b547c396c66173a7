"""The row of serve_bench.py that asks for more than the server can do."""

from report import spread
from line import Line, ratios

OBJECTIVE_MS = 500
IN_FLIGHT = 256  # of the closed loop that finds the capacity
REQUESTS = 20_000  # of each run: every test image twice
# As of many clients: with thousands of calls in flight on one connection it is
# gRPC's client that they wait for.
CONNECTIONS = 16


def overload(bench):
    """Goodput (answers within OBJECTIVE_MS) in an open loop at twice the capacity,
    all steps asked, brown-out on and off, against that of a closed loop at the
    capacity just before; a server of its own for each run. Of a model whose steps
    are most of what a request costs, and of the shipped one, of which the call is;
    the generator shares the machine."""
    wide = bench.random_model("wide", "--width=256", "--hidden=512")
    return (measure(bench, "width 256, hidden 512", "wide", trained=False,
                    repository=wide)
            + measure(bench, "shipped model", "fashion-mnist", trained=True))


def measure(bench, name, model, trained, **server_of):
    capacities, given_up, granted = [], [], []
    good = {"on": [], "off": []}

    def run(brownout, **loop):
        # Without it, what would come too late anyway is refused.
        flags = () if brownout == "on" else ("--max_queue_ms=250",)
        with bench.programs.server(f"--brownout={brownout}", *flags,
                                   **server_of) as server:
            return bench.programs.load(
                server, "--method=stream", f"--requests={REQUESTS}",
                f"--objective_ms={OBJECTIVE_MS}",
                f"--connections={CONNECTIONS}", model=model, **loop)
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
    lines = [Line(f"{name}: answers/s within {OBJECTIVE_MS} ms at twice the "
                  f"capacity, brown-out {brownout}", spread(figures, "{:,.0f}"),
                  "at the capacity: " + spread(capacities, "{:,.0f}"),
                  ratios(figures, capacities), "{:.2f}",
                  *((0.9, 1.1) if brownout == "on" else ()))
             for brownout, figures in good.items()]
    if trained:
        lines.append(Line("accuracy given up at twice the capacity, points",
                          spread(granted, "{:.1f}") + " steps", "all steps",
                          given_up, "{:.2f}"))
    return lines
