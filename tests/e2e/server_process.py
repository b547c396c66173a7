"""Starts the real mre-server for the Python tests."""
import contextlib
import os
import shutil
import socket
import subprocess


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start_server(binary, repository, flags=(), port=0, **popen):
    """The process, and its gRPC and metrics addresses, once it is ready."""
    server = subprocess.Popen(
        [binary, f"--model_repository={repository}", f"--grpc_port={port}",
         "--metrics_port=0", *flags], stdout=subprocess.PIPE, text=True,
        **popen)
    line = server.stdout.readline()
    assert "mre-server ready" in line, f"the server did not start: {line!r}"
    fields = dict(word.split("=") for word in line.split() if "=" in word)
    return server, fields["grpc"], fields["metrics"]


@contextlib.contextmanager
def serving(binary, repository, flags=(), **popen):
    """The gRPC address of a server that must end well when the block does."""
    server, target, _ = start_server(binary, repository, flags, **popen)
    try:
        yield target
        server.terminate()
        assert server.wait(60) == 0
    finally:
        server.kill()
        server.wait(60)


def small_repository(source, root, *more):
    """A repository below root of fashion-mnist, and no more than is named of the
    other models in the tree: it is loaded sooner."""
    repository = os.path.join(root, "models")
    for name in ("fashion-mnist", *more):
        shutil.copytree(f"{source}/model/zoo/{name}/1", f"{repository}/{name}/1")
    return repository
