"""Python stubs of the project's protocol, generated anew in each process."""

import subprocess
import sys
import tempfile

from report import ROOT


def load():
    """The modules anytime_pb2 and anytime_pb2_grpc."""
    with tempfile.TemporaryDirectory() as out:
        subprocess.run(
            [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT}",
             f"--python_out={out}", f"--grpc_python_out={out}",
             "proto/mre/v1/anytime.proto"], check=True, cwd=ROOT)
        sys.path.insert(0, out)
        from proto.mre.v1 import anytime_pb2, anytime_pb2_grpc
        sys.path.remove(out)
    return anytime_pb2, anytime_pb2_grpc
