"""What the benchmarks in Python share: the machine's name, figures of several runs."""

import os
import statistics
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "../.."))


def machine():
    """CPU, cores and revision, in one line."""
    with open("/proc/cpuinfo") as file:
        names = [line.split(":", 1)[1].strip() for line in file
                 if line.startswith("model name")]
    revision = subprocess.run(
        ["git", "describe", "--always", "--dirty"], stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, cwd=HERE).stdout.strip()
    return (f"{names[0] if names else 'unknown CPU'}, "
            f"{len(os.sched_getaffinity(0))} cores; "
            f"revision {revision or 'unknown'}")


def spread(values, form):
    """Median and range, each in `form`; one value alone if all print alike."""
    median, least, most = (form.format(f(values))
                           for f in (statistics.median, min, max))
    return median if least == most else f"{median} ({least}-{most})"
