"""What stock clients of the open inference protocol do on the wire.

The calls are made as Triton's Python client makes them: values always in
raw_input_contents, results read from raw_output_contents by position alone,
parameters by the type of the Python value, responses of a stream handed to a
callback on a thread of its own. Stubs are generated from the proto at run time.
With it what the tests of this protocol share.
"""
import argparse
import queue
import sys
import tempfile
import threading
import time
import urllib.request

from server_process import small_repository, start_server

try:
    import grpc
    import grpc_tools  # noqa: F401
    import numpy as np
except ImportError:
    print("skipped: needs python3-grpcio, python3-grpc-tools, python3-numpy")
    sys.exit(77)

from stubs import generate_stubs

MODEL = "fashion-mnist"
SHAPE = (28, 28, 1)
OUTPUTS = ["probabilities", "class_index", "confidence", "step", "macs",
           "ray_coverage", "final"]
Code = grpc.StatusCode

TYPES = {"BOOL": np.bool_, "UINT8": np.uint8, "INT32": np.int32,
         "UINT64": np.uint64, "FP32": np.float32}


def make_stubs(source, out):
    """Modules of inference and of mre.v1: (pb, rpc, own_pb, own_rpc)."""
    return generate_stubs(source, out, (
        "inference/model_config", "inference/grpc_service", "mre/v1/anytime"))[2:]


def set_parameters(message, parameters):
    for name, value in parameters.items():
        to = message.parameters[name]
        if isinstance(value, tuple):  # (field, value): other languages' types
            setattr(to, value[0], value[1])
        elif isinstance(value, bool):
            to.bool_param = value
        elif isinstance(value, int):
            to.int64_param = value
        elif isinstance(value, str):
            to.string_param = value
        else:
            to.double_param = value


def make_request(pb, model, values, version="", request_id="", outputs=(),
                 parameters=None, priority=0, timeout=None, contents="raw"):
    """values: an array of [rows, ...], uint8 or float32."""
    datatype = {v: k for k, v in TYPES.items()}[values.dtype.type]
    request = pb.ModelInferRequest(model_name=model, model_version=version,
                                   id=request_id)
    tensor = request.inputs.add(name="input", datatype=datatype,
                                shape=values.shape)
    if contents == "raw":
        request.raw_input_contents.append(values.tobytes())
    else:
        field = {"UINT8": "uint_contents", "FP32": "fp32_contents"}[datatype]
        getattr(tensor.contents, field).extend(values.ravel().tolist())
    for name in outputs:
        request.outputs.add(name=name)
    set_parameters(request, parameters or {})
    if priority != 0:
        request.parameters["priority"].uint64_param = priority
    if timeout is not None:
        request.parameters["timeout"].int64_param = timeout
    return request


class Result:
    """A response, its outputs read by position."""

    def __init__(self, response):
        self.response = response

    def array(self, name):
        for i, output in enumerate(self.response.outputs):
            if output.name == name:
                return np.frombuffer(
                    self.response.raw_output_contents[i],
                    dtype=TYPES[output.datatype]).reshape(output.shape)
        return None

    def parameter(self, name):
        if name not in self.response.parameters:
            return None
        value = self.response.parameters[name]
        return getattr(value, value.WhichOneof("parameter_choice"))

    def final(self):
        return self.parameter("triton_final_response")


class Stream:
    """start_stream, async_stream_infer and stop_stream of the stock client."""

    def __init__(self, stub, callback, headers=()):
        self._requests = queue.Queue()
        self._call = stub.ModelStreamInfer(iter(self._requests.get, None),
                                           metadata=headers)
        self._callback = callback
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        self.status = None

    def _read(self):
        try:
            for response in self._call:
                if response.error_message:
                    self._callback(Result(response.infer_response),
                                   response.error_message)
                else:
                    self._callback(Result(response.infer_response), None)
            self.status = self._call.code()
        except grpc.RpcError as error:
            self.status = error.code()
            self._callback(None, error)

    def infer(self, request):
        self._requests.put(request)

    def stop(self, cancel_requests=False):
        if cancel_requests:
            self._call.cancel()
        self._requests.put(None)
        self._thread.join(60)
        assert not self._thread.is_alive(), "the stream does not end"


class Responses:
    """A callback that keeps what it is told."""

    def __init__(self):
        self._queue = queue.Queue()

    def __call__(self, result, error):
        self._queue.put((result, error))

    def next(self):
        return self._queue.get(timeout=60)

    def result(self):
        result, error = self.next()
        assert error is None, error
        return result

    def until_final(self):
        results = [self.result()]
        while not results[-1].final():
            results.append(self.result())
        return results

    def empty(self):
        return self._queue.empty()


class Fixture:
    def __init__(self, stubs, target, metrics):
        self.pb, rpc, self.own_pb, own_rpc = stubs
        channel = grpc.insecure_channel(target)
        self.stub = rpc.GRPCInferenceServiceStub(channel)
        self.own = own_rpc.AnytimeInferenceStub(channel)
        self.metrics = metrics

    def request(self, values, **more):
        return make_request(self.pb, MODEL, values, **more)

    def infer(self, values, **more):
        return Result(self.stub.ModelInfer(self.request(values, **more)))

    def stream(self, headers=()):
        responses = Responses()
        return Stream(self.stub, responses, headers), responses

    def own_request(self, values, **budget):
        datatype = {np.dtype(np.uint8): self.own_pb.DATA_TYPE_UINT8,
                    np.dtype(np.float32): self.own_pb.DATA_TYPE_FP32}
        return self.own_pb.PredictRequest(
            model_name=MODEL,
            input=self.own_pb.Tensor(datatype=datatype[values.dtype],
                                     shape=values.shape, data=values.tobytes()),
            budget=self.own_pb.Budget(**budget),
            output=self.own_pb.Output(delivery=self.own_pb.DELIVERY_ALL,
                                      probabilities=True))

    def series(self, name, *labels):
        page = urllib.request.urlopen(f"http://{self.metrics}/metrics")
        total = 0.0
        for line in page.read().decode().splitlines():
            series, _, value = line.rpartition(" ")
            if (series.partition("{")[0] == name and
                    all(label in series for label in labels)):
                total += float(value)
        return total

    def await_no_rows(self):
        deadline = time.monotonic() + 60
        while (self.series("mre_active_rows") + self.series("mre_queued_rows")
               > 0):
            assert time.monotonic() < deadline, "rows are still there"
            time.sleep(0.01)


def images(count, seed=0):
    return np.random.default_rng(seed).integers(
        0, 256, (count,) + SHAPE, dtype=np.uint8)


def refused(call, code, *words):
    try:
        call()
    except grpc.RpcError as error:
        assert error.code() == code, (error.code(), error.details())
        for word in words:
            assert word in error.details(), (word, error.details())
        return
    raise AssertionError(f"accepted; expected {code} {words}")


def rows_of(result, rows):
    named = result.parameter("rows")
    if rows == 1:
        assert named is None
        return [0]
    return [int(row) for row in named.split(",")]


def same_rows(result, predictions):
    assert len(predictions) > 0
    assert result.array("probabilities").shape == (len(predictions), 10)
    for i, p in enumerate(predictions):
        assert result.array("probabilities")[i].tobytes() == np.array(
            p.probabilities, np.float32).tobytes()
        assert result.array("class_index")[i] == p.top[0].class_index
        assert result.array("confidence")[i] == np.float32(p.confidence)
        assert result.array("step")[i] == p.step
        assert result.array("macs")[i] == p.macs
        assert result.array("ray_coverage")[i] == np.float32(p.ray_coverage)
        assert result.array("final")[i] == p.final


def steps_of(f, image, **parameters):
    stream, responses = f.stream()
    stream.infer(f.request(image, parameters=parameters))
    results = responses.until_final()
    stream.stop()
    return results


def run(checks, alone=()):
    """A test's main. `checks` share a server of fashion-mnist and one model more;
    those in `alone` start their own, from the stubs, the binary and the models.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--source", required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as out:
        stubs = make_stubs(args.source, out)
        repository = small_repository(args.source, out, "mnist-mlp")
        server, target, metrics = start_server(args.server, repository)
        try:
            f = Fixture(stubs, target, metrics)
            for check in checks:
                check(f)
                print(f"{check.__name__}: ok", flush=True)
        finally:
            server.terminate()
            code = server.wait(60)
        assert code == 0, f"the server ended with {code}"
        for check in alone:
            check(stubs, args.server, repository)
            print(f"{check.__name__}: ok", flush=True)
    print(f"{len(checks) + len(alone)} passed, 0 failed")
