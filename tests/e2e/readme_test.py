"""The programs that the README shows, run as they stand there."""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from server_process import serving, small_repository


def lines(command, **more):
    done = subprocess.run(command, text=True, capture_output=True, timeout=60,
                          **more)
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout, end="")
    return done.stdout.splitlines()


def check_cpp(program, target):
    """Made of the README by CMakeLists.txt, with the address left open."""
    steps = lines([program, target])
    # 150,000 multiply-adds are step 0 and ten experts.
    assert [line.split()[0] for line in steps] == [str(i) for i in range(11)]


def check_python(source, target):
    readme = (source / "README.md").read_text(encoding="utf-8")
    [program] = [block for block in re.findall("```python\n(.*?)```", readme, re.S)
                 if "import mre_serving" in block]
    assert program.count("localhost:8001") == 1
    package = source / "client" / "python"
    subprocess.check_call([sys.executable, package / "make_proto.py"])
    steps = lines([sys.executable, "-c", program.replace("localhost:8001", target)],
                  env={**os.environ, "PYTHONPATH": str(package)})
    # As the README shows of the same image.
    assert len(steps) == 8 and steps[0].startswith("0 Coat 0.4"), steps
    assert steps[7].startswith("7 Coat 0.9"), steps


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--program", required=True)
    parser.add_argument("--source", required=True, type=pathlib.Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        repository = small_repository(args.source, root)
        with serving(args.server, repository) as target:
            check_cpp(args.program, target)
            check_python(args.source, target)
    print("2 passed, 0 failed")


if __name__ == "__main__":
    main()
