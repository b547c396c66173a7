"""Python stubs of the services, made from their protos."""
import importlib
import subprocess
import sys


def generate_stubs(source, out, protos=("mre/v1/anytime",)):
    """Makes the stubs in the folder out; of each proto two modules in the list that
    it returns: messages and rpcs."""
    subprocess.check_call(
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{source}",
         f"--python_out={out}", f"--grpc_python_out={out}"] +
        [f"{source}/proto/{name}.proto" for name in protos])
    sys.path.insert(0, out)
    return [importlib.import_module(f"proto.{name.replace('/', '.')}_{part}")
            for name in protos for part in ("pb2", "pb2_grpc")]


def image_request(pb, rows=1, **fields):
    """A request for fashion-mnist, of pixels that compress well."""
    data = (bytes(range(256)) * 3 + bytes(16)) * rows
    return pb.PredictRequest(
        model_name="fashion-mnist",
        input=pb.Tensor(datatype=pb.DATA_TYPE_UINT8, shape=[rows, 28, 28, 1],
                        data=data), **fields)
