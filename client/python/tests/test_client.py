"""Predictions, streams and models, from the real server."""
import datetime
import json
import subprocess
import threading
import time
import types

import grpc
import numpy as np
import pytest

import mre_serving
import servers
from fake_server import FakeServer

MRE = servers.BINARY.parent.parent / "client" / "cli" / "mre"


@pytest.fixture
def client(server):
    with mre_serving.Client(server.target, timeout=60) as made:
        yield made


def test_each_step_is_streamed(client, images):
    steps = list(client.stream(images[50], max_steps=8))
    assert [p.step for p in steps] == list(range(9))
    assert [p.final for p in steps] == [False] * 8 + [True]
    assert steps[0].expert is None and steps[1].expert.layer == 0
    assert steps[-1].stop_reason is mre_serving.StopReason.MAX_STEPS
    assert steps[0].stop_reason is None
    assert steps[-1].label == steps[-1].top[0].label == "Coat"
    assert steps[-1].confidence == steps[-1].top[0].probability
    assert 0 < steps[-1].elapsed < 60
    assert (steps[-1].model, steps[-1].version) == ("fashion-mnist", 1)


def test_one_row_is_a_prediction_and_a_batch_a_list(client, images):
    one = client.predict(images[7], max_steps=4)
    assert (one.row, one.step, one.final) == (0, 4, True)
    rows = client.predict(images[5:8], max_steps=4)
    assert [p.row for p in rows] == [0, 1, 2]
    assert rows[2].top == one.top
    assert client.predict(images[7:8], max_steps=4)[0].top == one.top
    assert client.predict_rows(images[7], max_steps=4)[0].top == one.top


def test_a_streamed_batch_says_which_row(client, images):
    steps = list(client.stream(images[:3], max_steps=2))
    assert sorted((p.row, p.step) for p in steps) == [
        (row, step) for row in range(3) for step in range(3)]


def test_the_numbers_are_those_of_mre(client, server, images, tmp_path):
    raw = tmp_path / "image.raw"
    for index in (0, 50, 999):
        raw.write_bytes(images[index].tobytes())
        lines = subprocess.check_output(
            [MRE, "stream", f"--server={server.target}", "--raw", raw, "--json",
             "--max_steps=32", "--probabilities"], text=True).splitlines()
        theirs = [p for line in lines for p in json.loads(line)["predictions"]]
        ours = list(client.stream(images[index], max_steps=32, probabilities=True))
        assert len(theirs) == len(ours) == 33
        for json_step, p in zip(theirs, ours):
            bits = [np.float32(v) for v in json_step["probabilities"]]
            assert np.array_equal(bits, p.probabilities)
            assert np.float32(json_step["confidence"]) == p.confidence
            assert np.float32(json_step["ray_coverage"]) == p.ray_coverage
            assert int(json_step["macs"]) == p.macs


@pytest.mark.parametrize("budget, reason", [
    ({"max_steps": 3}, "MAX_STEPS"),
    ({"max_macs": 100_000}, "MAX_MACS"),
    ({"max_time": 1e-6}, "MAX_TIME"),
    ({"max_time": datetime.timedelta(microseconds=1)}, "MAX_TIME"),
    ({"min_confidence": 0.6}, "CONFIDENCE"),
    ({"min_ray_coverage": 0.2}, "RAY_COVERAGE"),
    ({"stable_steps": 2}, "STABLE"),
    ({}, "EXHAUSTED"),
    ({"max_time": None, "max_steps": np.int64(2)}, "MAX_STEPS"),
])
def test_each_budget_stops_the_row(client, images, budget, reason):
    last = client.predict(images[50], **budget)
    assert last.stop_reason is mre_serving.StopReason[reason]
    if "max_macs" in budget:
        assert last.macs <= budget["max_macs"]


def test_output_options(client, images):
    steps = list(client.stream(images[50], max_steps=7, every=3, top_k=2,
                               probabilities=True))
    assert [p.step for p in steps] == [0, 3, 6, 7]
    assert len(steps[0].top) == 2
    assert steps[0].probabilities.shape == (10,)
    assert steps[0].probabilities.dtype == np.float32
    assert steps[0].probabilities.max() == np.float32(steps[0].confidence)
    assert client.predict(images[50]).probabilities is None


def test_sampled_routing_follows_its_seed(client, images):
    def order(seed):
        return [p.expert for p in client.stream(images[50], sampled=True, seed=seed)]
    assert order(1) == order(1) != order(2)


def test_models_and_health(client):
    info = client.model()
    assert client.models() == [info]
    assert (info.name, info.version, info.ready) == ("fashion-mnist", 1, True)
    assert info.input_shape == (28, 28, 1)
    assert len(info.classes) == 10 and info.max_steps == 32
    assert info.first_step_macs == 53_888
    assert client.health() is mre_serving.Health.SERVING
    assert client.health("mre.v1.AnytimeInference") is mre_serving.Health.SERVING
    with pytest.raises(mre_serving.NotFound):
        client.health("nobody")
    with pytest.raises(mre_serving.NotFound) as caught:
        client.predict(np.zeros((28, 28)), model="nobody")
    assert caught.value.code == "NOT_FOUND" and "nobody" in caught.value.message


def test_versions_and_labels_are_asked_for():
    small = np.zeros((2, 2), np.uint8)
    with FakeServer() as server, mre_serving.Client(server.target) as client:
        for more in ({"version": 7}, {"label": "stable"}, {"label": "stable"}):
            client.predict(small, model="fake", **more)
        assert [(r.model_version, r.model_label) for r in server.requests] == [
            (7, ""), (0, "stable"), (0, "stable")]
        # A model is asked about once.
        assert [(r.model_version, r.model_label) for r in server.models] == [
            (7, ""), (0, "stable")]
        client.model("fake", label="canary")
        assert server.models[-1].model_label == "canary"


def test_a_model_that_is_not_ready_says_why():
    with FakeServer() as server:
        with mre_serving.Client(server.target) as client:
            with pytest.raises(mre_serving.Unavailable,
                               match='"broken" version 1 is FAILED: byte 7 is odd'):
                client.predict(np.zeros((2, 2)), model="broken")
            assert client.model("broken").state is mre_serving.ModelState.FAILED
        assert not server.requests


def test_a_model_is_asked_about_again_after_it_was_not_found():
    script = [(0, grpc.StatusCode.NOT_FOUND, ())]
    with FakeServer(script) as server, mre_serving.Client(server.target) as client:
        with pytest.raises(mre_serving.NotFound):
            client.predict(np.zeros((2, 2)), model="fake")
        assert client.predict(np.zeros((2, 2)), model="fake").final
        assert len(server.models) == 2


def test_a_model_of_another_shape_is_asked_about_again(start, tmp_path, images):
    servers.copy_model(tmp_path, "fashion-mnist")
    server = start(tmp_path, "--model_control_mode=poll",
                   "--repository_poll_seconds=0.05")
    smaller = images[0][:16, :16]
    with mre_serving.Client(server.target) as client:
        assert client.predict(images[0]).version == 1
        with pytest.raises(mre_serving.InvalidArgument, match=r"\[28, 28, 1\]"):
            client.predict(smaller)
        servers.copy_model(tmp_path, "fashion-mnist", version=2, source="usps-mlp")
        servers.await_true(lambda: client.model().version == 2)
        assert client.predict(smaller).version == 2
        with pytest.raises(mre_serving.InvalidArgument, match=r"\[16, 16, 1\]"):
            client.predict(images[0])


def test_with_several_models_one_must_be_named(start, single, tmp_path, images):
    for name in ("fashion-mnist", "mnist-mlp"):
        servers.copy_model(tmp_path, name)
    with mre_serving.Client(start(tmp_path).target) as client:
        with pytest.raises(mre_serving.InvalidArgument,
                           match="fashion-mnist, mnist-mlp"):
            client.predict(images[0])
        assert client.predict(images[0], model="mnist-mlp").model == "mnist-mlp"


@pytest.mark.parametrize("arguments, said", [
    ({"max_steps": -1}, "max_steps: expected a whole number"),
    ({"max_steps": 1.5}, "max_steps"),
    ({"max_steps": True}, "max_steps"),
    ({"max_macs": 2 ** 64}, "max_macs"),
    ({"min_confidence": 1.5}, "min_confidence: expected a number from 0 to 1"),
    ({"min_confidence": float("nan")}, "min_confidence"),
    ({"max_time": -1}, "max_time: expected a number of 0 or more"),
    ({"max_time": "soon"}, "max_time"),
    ({"delivery": "some"}, 'delivery: expected "all" or "latest"'),
    ({"seed": "x"}, "seed"),
    ({"version": 1, "label": "stable"}, "version, label"),
    ({"max_macs": 1}, "budget.max_macs"),  # the server's to know
])
def test_a_wrong_option_is_named(client, images, arguments, said):
    with pytest.raises(mre_serving.InvalidArgument, match=said) as caught:
        client.predict(images[0], **arguments)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, mre_serving.MreError)


def test_an_unknown_option_is_a_type_error(client, images):
    with pytest.raises(TypeError, match="max_step'.*max_steps"):
        client.predict(images[0], max_step=3)
    with pytest.raises(TypeError, match="max_step"):
        client.stream(images[0], max_step=3)


def test_how_urgent_a_request_is_goes_with_it(client, images):
    with FakeServer() as server, mre_serving.Client(server.target) as other:
        other.predict(np.zeros((2, 2)), model="fake", priority=2)
        assert server.requests[0].priority == 2
    assert client.predict(images[0], priority=9, max_steps=1).final
    with pytest.raises(mre_serving.InvalidArgument, match="priority"):
        client.predict(images[0], priority=10)


def test_a_service_may_have_a_long_name(client):
    for length in (127, 128, 200):
        with pytest.raises(mre_serving.NotFound):
            client.health("x" * length)
    with pytest.raises(mre_serving.InvalidArgument):  # more than gRPC's service takes
        client.health("x" * 300)


def test_a_stream_has_one_timeout_for_all_that_it_asks(monkeypatch):
    now = 0.0
    monkeypatch.setattr(mre_serving.retry, "time",
                        types.SimpleNamespace(monotonic=lambda: now))

    def pass_time():
        nonlocal now
        now += 50

    with FakeServer() as server, mre_serving.Client(server.target) as client:
        server.before_model = pass_time
        list(client.stream(np.zeros((2, 2)), model="fake", timeout=60))
        assert server.limits[0] < 20


def test_a_call_ends_with_its_timeout(slow_server):
    with mre_serving.Client(slow_server.target) as client:
        batch = np.zeros((256, 28, 28, 1), np.uint8)
        client.model()
        with pytest.raises(mre_serving.DeadlineExceeded):
            client.predict(batch, timeout=0.02)
        with pytest.raises(mre_serving.DeadlineExceeded):
            list(client.stream(batch, timeout=0.02))
    slow_server.await_no_rows()


def cancelled(server):
    return server.metric("mre_requests_total", 'code="CANCELLED"')


ROWS = 64


# A stream that nobody can have finished sending: of each row 1,536 steps.
def long_stream(client):
    return client.stream(np.zeros((ROWS, 28, 28, 1), np.uint8), probabilities=True,
                         top_k=10)


def test_leaving_the_loop_cancels_the_call(slow_server):
    before = cancelled(slow_server)
    with mre_serving.Client(slow_server.target) as client:
        stream = long_stream(client)
        for p in stream:
            break
        slow_server.await_metric(lambda v: v == before + 1, "mre_requests_total",
                                 'code="CANCELLED"')
        slow_server.await_no_rows()
        with pytest.raises(RuntimeError, match="once"):
            iter(stream)


def test_an_error_in_the_loop_cancels_the_call(slow_server):
    before = cancelled(slow_server)
    with mre_serving.Client(slow_server.target) as client:
        with pytest.raises(KeyError):
            for p in long_stream(client):
                raise KeyError
        slow_server.await_metric(lambda v: v == before + 1, "mre_requests_total",
                                 'code="CANCELLED"')


def test_another_thread_may_cancel(slow_server):
    with mre_serving.Client(slow_server.target) as client:
        stream = long_stream(client)
        with pytest.raises(mre_serving.Cancelled):
            for p in stream:
                thread = threading.Thread(target=stream.cancel)
                thread.start()
                thread.join()
        slow_server.await_no_rows()
        stream = long_stream(client)
        stream.cancel()
        with pytest.raises(mre_serving.Cancelled):
            next(iter(stream))


def test_closing_the_client_cancels_what_runs(slow_server):
    client = mre_serving.Client(slow_server.target)
    steps = iter(long_stream(client))
    next(steps)
    client.close()
    with pytest.raises(mre_serving.Cancelled):
        for p in steps:
            pass
    with pytest.raises(mre_serving.Cancelled, match="closed"):
        client.models()
    slow_server.await_no_rows()


@pytest.mark.parametrize("ask", [
    lambda client: client.predict(np.zeros((2, 2)), model="fake"),
    lambda client: list(client.stream(np.zeros((2, 2)), model="fake"))])
def test_closing_the_client_ends_a_wait_for_the_next_attempt(ask):
    busy = (0, grpc.StatusCode.RESOURCE_EXHAUSTED,
            (("grpc-retry-pushback-ms", "3600000"),))
    patient = mre_serving.RetryPolicy(max_time=10_000)
    found = []

    def run():
        try:
            ask(client)
        except mre_serving.MreError as error:
            found.append(error)

    with FakeServer([busy]) as server:
        client = mre_serving.Client(server.target, retry=patient)
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        servers.await_true(lambda: server.calls)
        thread.join(0.1)  # until it waits
        client.close()
        thread.join(30)
        assert [type(error) for error in found] == [mre_serving.Cancelled]


@pytest.mark.parametrize("ask", [
    lambda client: client.models(),
    lambda client: list(client.stream(np.zeros((2, 2)), model="fake")),
    lambda client: client.interactive()])
def test_a_client_that_is_closed_as_a_call_begins(ask):
    with FakeServer() as server:
        closing = False

        def token():
            if closing:
                client.close()
            return "secret"

        client = mre_serving.Client(server.target, token=token)
        client.predict(np.zeros((2, 2)), model="fake")
        closing = True
        with pytest.raises(mre_serving.Cancelled, match="closed"):
            ask(client)


def test_a_slow_reader_holds_the_server_up(slow_server):
    with mre_serving.Client(slow_server.target) as client:
        stream = iter(long_stream(client))
        next(stream)
        # It would end if it could: wait until its rows pause.
        before = -1.0
        deadline = time.monotonic() + 60
        while ((now := slow_server.metric("mre_expert_activations_total")) != before
               or slow_server.metric("mre_active_rows") < ROWS):
            assert time.monotonic() < deadline, "they never pause"
            before = now
            time.sleep(0.2)
        assert slow_server.metric("mre_active_rows") == ROWS
        # Reading makes them go on.
        while slow_server.metric("mre_expert_activations_total") == before:
            assert time.monotonic() < deadline, "they never go on"
            for _ in range(100):
                next(stream)


def test_many_threads_share_a_client(client, images):
    alone = [client.predict(image).top for image in images[:16]]
    found = {}

    def ask(i):
        found[i] = client.predict(images[i]).top
    threads = [threading.Thread(target=ask, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[i] for i in range(16)] == alone
