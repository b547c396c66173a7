"""Python stubs of the service, made from the proto."""
import subprocess
import sys


def generate_stubs(source, out):
    """Makes the stubs in the folder out; returns messages and rpcs."""
    subprocess.check_call(
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{source}",
         f"--python_out={out}", f"--grpc_python_out={out}",
         f"{source}/proto/mre/v1/anytime.proto"])
    sys.path.insert(0, out)
    from proto.mre.v1 import anytime_pb2, anytime_pb2_grpc
    return anytime_pb2, anytime_pb2_grpc


def image_request(pb, rows=1, **fields):
    """A request for fashion-mnist, of pixels that compress well."""
    data = (bytes(range(256)) * 3 + bytes(16)) * rows
    return pb.PredictRequest(
        model_name="fashion-mnist",
        input=pb.Tensor(datatype=pb.DATA_TYPE_UINT8, shape=[rows, 28, 28, 1],
                        data=data), **fields)
