"""Starts the real mre-server for the Python tests."""
import contextlib
import os
import shutil
import subprocess


def start_server(binary, repository, flags=(), **popen):
    """The process, and its gRPC and metrics addresses, once it is ready."""
    server = subprocess.Popen(
        [binary, f"--model_repository={repository}", "--grpc_port=0",
         "--metrics_port=0", *flags], stdout=subprocess.PIPE, text=True,
        **popen)
    fields = dict(word.split("=") for word in server.stdout.readline().split()
                  if "=" in word)
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


def small_repository(source, root):
    """A repository of fashion-mnist alone, below root: it is loaded sooner."""
    repository = os.path.join(root, "models")
    shutil.copytree(f"{source}/model/zoo/fashion-mnist/1",
                    f"{repository}/fashion-mnist/1")
    return repository
