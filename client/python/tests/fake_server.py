"""A gRPC server that answers as it is told: for exact sequences of statuses."""
import concurrent.futures
import threading

import grpc

from mre_serving import _proto

SHAPE = (2, 2, 1)


def _update(final):
    update = _proto.PredictUpdate(model_name="fake", model_version=1)
    update.predictions.add(final=final, stop_reason=1 if final else 0).top.add()
    return update


class FakeServer:
    """`script` holds one entry a prediction call; when it is used up, calls succeed.

    An entry is (messages sent first, status code, trailing metadata), and may have
    the status's message as its fourth.
    """

    def __init__(self, script=(), credentials=None):
        self.script = list(script)
        self.calls = []  # the metadata of each prediction call
        self.requests = []
        self.models = []  # the requests of GetModel
        self._lock = threading.Lock()
        self._server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
        handlers = {
            "Predict": grpc.unary_unary_rpc_method_handler(
                self._predict, _proto.PredictRequest.FromString,
                _proto.PredictUpdate.SerializeToString),
            "PredictStream": grpc.unary_stream_rpc_method_handler(
                self._stream, _proto.PredictRequest.FromString,
                _proto.PredictUpdate.SerializeToString),
            "GetModel": grpc.unary_unary_rpc_method_handler(
                self._get_model,
                _proto.GetModelRequest.FromString,
                _proto.ModelInfo.SerializeToString),
        }
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(_proto.SERVICE, handlers),))
        if credentials is None:
            port = self._server.add_insecure_port("127.0.0.1:0")
        else:
            port = self._server.add_secure_port("127.0.0.1:0", credentials)
        self.target = f"127.0.0.1:{port}"
        self._server.start()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._server.stop(None).wait()

    def _begin(self, request, context):
        with self._lock:
            self.calls.append(dict(context.invocation_metadata()))
            self.requests.append(request)
            return self.script.pop(0) if self.script else None

    def _get_model(self, request, context):
        self.models.append(request)
        state = 2 if request.model_name == "broken" else 1
        return _proto.ModelInfo(model_name=request.model_name, model_version=1,
                                state=state, error="byte 7 is odd" * (state - 1),
                                input_shape=SHAPE)

    def _predict(self, request, context):
        entry = self._begin(request, context)
        if entry is not None:
            self._fail(entry, context)
        return _update(final=True)

    def _stream(self, request, context):
        entry = self._begin(request, context)
        if entry is None:
            yield _update(final=True)
            return
        for _ in range(entry[0]):
            yield _update(final=False)
        self._fail(entry, context)

    @staticmethod
    def _fail(entry, context):
        _, code, metadata, *message = entry
        context.set_trailing_metadata(metadata)
        context.abort(code, message[0] if message else f"scripted {code.name}")
