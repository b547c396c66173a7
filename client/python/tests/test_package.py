"""What pip installs: a wheel and a source distribution, in an environment of their
own, offline."""
import os
import shutil
import subprocess
import sys
import zipfile

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


def names(wheel):
    with zipfile.ZipFile(wheel) as file:
        return {n for n in file.namelist() if n.startswith("mre_serving/")}


def test_a_wheel_installs_and_asks(copy, tmp_path, server):
    run(sys.executable, "-m", "pip", "wheel", *OFFLINE, "-w", tmp_path, copy)
    wheel, = tmp_path.glob("mre_serving-*.whl")
    venv = tmp_path / "venv"
    run(sys.executable, "-m", "venv", "--system-site-packages", "--without-pip", venv)
    run(sys.executable, "-m", "pip", "--python", venv, "install", *OFFLINE, wheel)
    out = run(venv / "bin" / "python", "-c", ASK, server.target, cwd=tmp_path)
    assert out == "1\n"
    assert {"mre_serving/py.typed", "mre_serving/anytime.binpb"} <= names(wheel)


def test_a_source_distribution_builds_away_from_the_tree(copy, tmp_path):
    run(sys.executable, "setup.py", "-q", "sdist", "-d", tmp_path, cwd=copy)
    packed, = tmp_path.glob("mre-serving-*.tar.gz")
    shutil.unpack_archive(packed, tmp_path)
    unpacked, = tmp_path.glob("mre-serving-*/")
    for built, at in (("a", copy), ("b", unpacked)):
        run(sys.executable, "setup.py", "-q", "bdist_wheel", "-d", tmp_path / built,
            cwd=at)
    ours, = (tmp_path / "a").iterdir()
    theirs, = (tmp_path / "b").iterdir()
    assert names(theirs) == names(ours) != set()
