"""What pip installs: a wheel and a source distribution, in an environment of their
own, offline."""
import os
import shutil
import subprocess
import sys

import pytest

import servers

PACKAGE = servers.SOURCE / "client" / "python"
OFFLINE = ["--no-index", "--no-deps", "--no-build-isolation",
           "--disable-pip-version-check", "--no-cache-dir"]

# Run with the installed package, away from the tree.
ASK = """
import sys, numpy, mre_serving
assert mre_serving.__file__.startswith(sys.prefix), mre_serving.__file__
with mre_serving.Client(sys.argv[1]) as client:
    print(client.predict(numpy.zeros((28, 28)), max_steps=1).step)
"""


def run(*args, **more):
    # Nothing of this test's own paths.
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(args, env=env, text=True, capture_output=True, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A clone's part that building needs, without what was made in it."""
    root = tmp_path_factory.mktemp("clone")
    shutil.copytree(PACKAGE, root / "client" / "python",
                    ignore=shutil.ignore_patterns("*.binpb", "tests", "build",
                                                  "*.egg-info", "__pycache__"))
    shutil.copytree(servers.SOURCE / "proto", root / "proto")
    return root / "client" / "python"


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_what_is_built_installs_and_asks(copy, tmp_path, server, kind):
    pytest.importorskip("pip")
    if kind == "wheel":
        run(sys.executable, "-m", "pip", "wheel", *OFFLINE, "-w", tmp_path, copy)
        built, = tmp_path.glob("mre_serving-*.whl")
    else:
        run(sys.executable, "setup.py", "-q", "sdist", "-d", tmp_path, cwd=copy)
        built, = tmp_path.glob("mre-serving-*.tar.gz")
    venv = tmp_path / "venv"
    run(sys.executable, "-m", "venv", "--system-site-packages", "--without-pip", venv)
    run(sys.executable, "-m", "pip", "--python", venv, "install", *OFFLINE, built)
    out = run(venv / "bin" / "python", "-c", ASK, server.target, cwd=tmp_path)
    assert out == "1\n"
    installed, = venv.glob("lib/python3*/site-packages/mre_serving")
    assert {"py.typed", "anytime.binpb"} <= {p.name for p in installed.iterdir()}
    assert not list(venv.glob("lib/python3*/site-packages/tests"))
