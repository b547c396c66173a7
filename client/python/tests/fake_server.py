"""A gRPC server that answers as it is told: for exact sequences of statuses."""
import concurrent.futures
import threading

import grpc

from mre_serving import _proto

SHAPE = (2, 2, 1)
HELD = (1, None, ())


def _update(final):
    update = _proto.PredictUpdate(model_name="fake", model_version=1)
    update.predictions.add(final=final, stop_reason=1 if final else 0).top.add()
    return update


class FakeServer:
    """`script` holds one entry a prediction call; when it is used up, calls succeed.

    An entry is (messages sent first, status code, trailing metadata), and may have
    the status's message as its fourth. HELD is a call that the client must end.
    """

    def __init__(self, script=(), credentials=None, options=()):
        self.script = list(script)
        self.shape = SHAPE
        self.calls = []  # the metadata of each prediction call
        self.limits = []  # the seconds that each has left
        self.requests = []
        self.models = []  # the requests of GetModel
        self.asked = []  # and their metadata
        self.held = 0  # calls that are
        self.before_model = lambda: None  # run by GetModel
        self._lock = threading.Lock()
        self._server = grpc.server(concurrent.futures.ThreadPoolExecutor(8),
                                   options=list(options))
        handlers = {
            "Predict": grpc.unary_unary_rpc_method_handler(
                self._predict, _proto.PredictRequest.FromString,
                _proto.PredictUpdate.SerializeToString),
            "PredictStream": grpc.unary_stream_rpc_method_handler(
                self._stream, _proto.PredictRequest.FromString,
                _proto.PredictUpdate.SerializeToString),
            "PredictInteractive": grpc.stream_stream_rpc_method_handler(
                self._interactive, _proto.PredictControl.FromString,
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
            self.limits.append(context.time_remaining())
            self.requests.append(request)
            return self.script.pop(0) if self.script else None

    def _get_model(self, request, context):
        self.models.append(request)
        self.asked.append(dict(context.invocation_metadata()))
        self.before_model()
        state = 2 if request.model_name == "broken" else 1
        return _proto.ModelInfo(model_name=request.model_name, model_version=1,
                                state=state, error="byte 7 is odd" * (state - 1),
                                input_shape=self.shape)

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

    def _interactive(self, controls, context):
        """Takes an entry a request; the script used up, no model is found."""
        for control in controls:
            entry = self._begin(control.open, context)
            if entry is not None:
                self._fail(entry, context)
            update = _proto.PredictUpdate(request_id=control.request_id)
            update.error.code = grpc.StatusCode.NOT_FOUND.value[0]
            yield update

    def _fail(self, entry, context):
        _, code, metadata, *message = entry
        if code is None:
            ended = threading.Event()
            if context.add_callback(ended.set):
                self.held += 1
                ended.wait()
            return
        context.set_trailing_metadata(metadata)
        context.abort(code, message[0] if message else f"scripted {code.name}")
