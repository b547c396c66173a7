"""Starts the real mre-server for the Python tests."""
import subprocess


def start_server(binary, repository, *flags):
    """The process, and its gRPC and metrics addresses, once it is ready."""
    server = subprocess.Popen(
        [binary, f"--model_repository={repository}", "--grpc_port=0",
         "--metrics_port=0", *flags], stdout=subprocess.PIPE, text=True)
    fields = dict(word.split("=") for word in server.stdout.readline().split()
                  if "=" in word)
    return server, fields["grpc"], fields["metrics"]
