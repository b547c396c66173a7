"""What is asked again and what is not: of a scripted server the exact sequences, of
the real one refusals and a restart."""
import threading

import grpc
import numpy as np
import pytest

import mre_serving
from fake_server import FakeServer
from mre_serving.retry import Attempts

CODE = grpc.StatusCode
ZERO = np.zeros((28, 28, 1), np.uint8)
SMALL = np.zeros((2, 2, 1), np.uint8)
QUICK = mre_serving.RetryPolicy(initial_backoff=0.001, max_backoff=0.002)


def entry(code, pushback=None, messages=0):
    metadata = () if pushback is None else (("grpc-retry-pushback-ms", pushback),)
    return (messages, code, metadata)


def predict(client, **more):
    return client.predict(SMALL, model="fake", **more)


def stream(client, **more):
    return list(client.stream(SMALL, model="fake", **more))[-1]


@pytest.mark.parametrize("ask", [predict, stream])
@pytest.mark.parametrize("script, calls, error", [
    ([], 1, None),
    ([entry(CODE.UNAVAILABLE)] * 3, 4, None),
    ([entry(CODE.RESOURCE_EXHAUSTED, "1")] * 2, 3, None),
    ([entry(CODE.UNAVAILABLE), entry(CODE.RESOURCE_EXHAUSTED, "1")], 3, None),
    ([entry(CODE.UNAVAILABLE)] * 9, 6, mre_serving.Unavailable),
    ([entry(CODE.RESOURCE_EXHAUSTED, "1")] * 9, 6, mre_serving.ResourceExhausted),
    # The server does not say when, says never, or says nonsense.
    ([entry(CODE.RESOURCE_EXHAUSTED)], 1, mre_serving.ResourceExhausted),
    ([entry(CODE.RESOURCE_EXHAUSTED, "-1")], 1, mre_serving.ResourceExhausted),
    ([entry(CODE.RESOURCE_EXHAUSTED, "soon")], 1, mre_serving.ResourceExhausted),
    # Longer than a retry may be away.
    ([entry(CODE.RESOURCE_EXHAUSTED, "31000")], 1, mre_serving.ResourceExhausted),
    # What gRPC says as a server closes its port.
    ([(0, CODE.CANCELLED, (), "CANCELLED")] * 2, 3, None),
    ([(0, CODE.INTERNAL, (), "Received RST_STREAM with error code 2")], 2, None),
    ([entry(CODE.INTERNAL)], 1, mre_serving.MreError),
    ([entry(CODE.DEADLINE_EXCEEDED)], 1, mre_serving.DeadlineExceeded),
    ([entry(CODE.CANCELLED)], 1, mre_serving.Cancelled),
])
def test_retries_only_where_safe(ask, script, calls, error):
    with FakeServer(script) as server:
        with mre_serving.Client(server.target, retry=QUICK) as client:
            if error is None:
                assert ask(client).final
            else:
                with pytest.raises(error) as caught:
                    ask(client)
                assert caught.value.code == script[0][1].name
        assert len(server.calls) == calls


def test_never_after_a_message():
    for code in (CODE.UNAVAILABLE, CODE.RESOURCE_EXHAUSTED):
        with FakeServer([entry(code, "1", messages=2)]) as server:
            with mre_serving.Client(server.target, retry=QUICK) as client:
                seen = 0
                with pytest.raises(mre_serving.MreError, match=code.name):
                    for p in client.stream(SMALL, model="fake"):
                        seen += 1
                assert seen == 2
            assert len(server.calls) == 1


def test_none_means_never():
    with FakeServer([entry(CODE.UNAVAILABLE)]) as server:
        with mre_serving.Client(server.target, retry=None) as client:
            with pytest.raises(mre_serving.Unavailable):
                predict(client)
        assert len(server.calls) == 1


def test_a_retry_that_would_pass_the_timeout_is_not_made():
    with FakeServer([entry(CODE.RESOURCE_EXHAUSTED, "29000")]) as server:
        with mre_serving.Client(server.target) as client:
            with pytest.raises(mre_serving.ResourceExhausted) as caught:
                predict(client, timeout=20)
        assert caught.value.retry_after == 29
        assert "retry after 29 s" in str(caught.value)
        assert len(server.calls) == 1


def test_waits_grow_and_heed_the_server():
    plain = mre_serving.RetryPolicy(attempts=9, jitter=0)
    attempts = Attempts(plain, None)
    waits = [attempts.wait_after(mre_serving.Unavailable("")) for _ in range(6)]
    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 2.0])
    busy = mre_serving.ResourceExhausted("", retry_after=7.0)
    assert Attempts(plain, None).wait_after(busy) == 7.0
    spread = mre_serving.RetryPolicy(jitter=0.5)
    many = [Attempts(spread, None).wait_after(busy) for _ in range(100)]
    assert 7.0 <= min(many) < max(many) <= 10.5


@pytest.mark.parametrize("wrong", [
    {"attempts": 0}, {"max_time": -1}, {"jitter": float("nan")}])
def test_a_policy_that_cannot_work_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        mre_serving.RetryPolicy(**wrong)


def test_a_full_server_is_asked_again(start, slow):
    server = start(slow, "--max_active_rows=1", "--max_queued_rows=512",
                   "--max_rows_per_request=512", "--max_queue_ms=0",
                   "--brownout=off")
    patient = mre_serving.RetryPolicy(attempts=10_000, max_time=120, max_backoff=0)
    many = np.zeros((512, 28, 28, 1), np.uint8)
    with mre_serving.Client(server.target, retry=patient) as client:
        busy = client.stream(many, delivery="latest")
        steps = iter(busy)
        next(steps)
        with mre_serving.Client(server.target, retry=None) as hasty:
            with pytest.raises(mre_serving.ResourceExhausted) as caught:
                hasty.predict(many, max_steps=1)
            assert caught.value.retry_after > 0
        found = []
        thread = threading.Thread(
            target=lambda: found.append(client.predict(many, max_steps=1)))
        thread.start()
        server.await_metric(lambda v: v >= 2, "mre_requests_total",
                            'code="RESOURCE_EXHAUSTED"')
        assert not found
        busy.cancel()
        thread.join()
        assert [p.step for p in found[0]] == [1] * 512


@pytest.mark.parametrize("ask", [
    lambda client, image: client.predict(image, max_steps=1),
    lambda client, image: list(client.stream(image, max_steps=1))[-1]])
def test_a_server_that_was_started_again_is_found(start, single, images, ask):
    server = start(single)
    patient = mre_serving.RetryPolicy(attempts=1000, max_time=120)
    with mre_serving.Client(server.target, retry=patient) as client:
        first = ask(client, images[0])
        server.kill()
        twice = mre_serving.RetryPolicy(attempts=2)
        with mre_serving.Client(server.target, retry=twice) as impatient:
            with pytest.raises(mre_serving.Unavailable):
                impatient.model()
        found = []
        thread = threading.Thread(
            target=lambda: found.append(ask(client, images[0])))
        thread.start()
        server.start()
        thread.join()
        assert found[0].top == first.top


def test_a_stream_that_broke_off_is_not_begun_again(start, slow):
    server = start(slow)
    with mre_serving.Client(server.target) as client:
        steps = iter(client.stream(np.zeros((64, 28, 28, 1)), probabilities=True))
        next(steps)
        server.kill()
        server.start()
        with pytest.raises(mre_serving.Unavailable):
            for p in steps:
                pass
        assert server.metric("mre_rows_total") == 0
