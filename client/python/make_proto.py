#!/usr/bin/env python3
"""Makes mre_serving/anytime.binpb, the protocol as protobuf's own description of it.

    python3 client/python/make_proto.py

That file, and not generated Python, is what the package ships: generated code works
with some versions of protobuf only, a description with all. Needs protoc
(protobuf-compiler) or grpc_tools (python3-grpc-tools, pip's grpcio-tools).
"""
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
PROTO = SOURCE / "proto" / "mre" / "v1" / "anytime.proto"
OUT = HERE / "mre_serving" / "anytime.binpb"


def up_to_date():
    """Whether nothing has to be made; without the tree's proto (in a source
    distribution) what was packed is all there is."""
    if not PROTO.exists():
        return OUT.exists()
    return OUT.exists() and OUT.stat().st_mtime >= PROTO.stat().st_mtime


def compiler():
    if shutil.which("protoc"):
        return ["protoc"]
    if subprocess.run([sys.executable, "-c", "import grpc_tools"],
                      stderr=subprocess.DEVNULL).returncode == 0:
        return [sys.executable, "-m", "grpc_tools.protoc"]
    sys.exit("make_proto.py: needs protoc (Debian: protobuf-compiler) or grpc_tools "
             "(Debian: python3-grpc-tools, pip: grpcio-tools)")


def make():
    """Makes the file unless it is newer than the proto."""
    if up_to_date():
        return
    if not PROTO.exists():
        sys.exit(f"make_proto.py: neither {OUT} nor {PROTO} is there: build from a "
                 "whole clone or from a source distribution")
    # Two builds may do this at once: each writes a file of its own.
    made = OUT.with_name(f".{OUT.name}.{os.getpid()}")
    subprocess.check_call(compiler() + [
        f"-I{SOURCE}", "--include_imports", f"--descriptor_set_out={made}",
        str(PROTO)])
    os.replace(made, OUT)


if __name__ == "__main__":
    make()
