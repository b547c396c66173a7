"""A real Prometheus scrapes the real server under a little load."""
import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

from server_process import free_port, small_repository, start_server

CONFIG = """
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: mre
    static_configs: [{{targets: ["{target}"]}}]
"""


def query(port, expression):
    url = (f"http://127.0.0.1:{port}/api/v1/query?"
           + urllib.parse.urlencode({"query": expression}))
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)["data"]["result"]


def await_value(port, expression, wanted):
    """The first value of the query, once `wanted` holds for it."""
    result = []
    for _ in range(300):
        try:
            result = query(port, expression)
            if result and wanted(float(result[0]["value"][1])):
                return float(result[0]["value"][1])
        except OSError:
            pass  # not up yet
        time.sleep(0.1)
    raise AssertionError(f"{expression}: {result}")


def check(work, cli, target, metrics):
    config = work / "prometheus.yml"
    config.write_text(CONFIG.format(target=metrics))
    port = free_port()
    prometheus = subprocess.Popen(
        ["prometheus", f"--config.file={config}",
         f"--storage.tsdb.path={work}/data",
         f"--web.listen-address=127.0.0.1:{port}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        await_value(port, "up", lambda v: v == 1)
        raw = work / "image.raw"
        raw.write_bytes(bytes(784))
        for _ in range(5):
            subprocess.check_call(
                [cli, "predict", f"--server={target}", "--raw", raw,
                 "--model=fashion-mnist", "--max_steps=7"],
                stdout=subprocess.DEVNULL)
        rows = await_value(port, "sum(mre_rows_total)", lambda v: v == 5)
        steps = await_value(port, "sum(mre_expert_activations_total)",
                            lambda v: v == 35)
        p99 = await_value(
            port, "histogram_quantile(0.99, "
            "sum by (le) (mre_request_seconds_bucket))", lambda v: v > 0)
        print(f"prometheus saw {rows:.0f} rows, {steps:.0f} steps, "
              f"p99 {p99 * 1e3:.2f} ms")
    finally:
        prometheus.terminate()
        prometheus.wait(60)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--source", required=True)
    args = parser.parse_args()
    if shutil.which("prometheus") is None:
        print("skipped: needs Debian's prometheus")
        sys.exit(77)
    cli = pathlib.Path(args.server).parent.parent / "client" / "cli" / "mre"
    with tempfile.TemporaryDirectory() as work:
        server, target, metrics = start_server(
            args.server, small_repository(args.source, work))
        try:
            check(pathlib.Path(work), cli, target, metrics)
            server.terminate()
            assert server.wait(60) == 0
        finally:
            server.kill()
            server.wait(60)
    print("1 passed, 0 failed")


if __name__ == "__main__":
    main()
