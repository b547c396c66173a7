"""Many requests on one stream, steered while they run."""
import threading

import numpy as np
import pytest

import mre_serving
import servers
from fake_server import FakeServer
from mre_serving import _proto
from mre_serving._inbox import MAX_OPEN, Inbox

STOP = mre_serving.StopReason
ZERO = np.zeros((28, 28, 1), np.uint8)


@pytest.fixture
def session(server):
    with mre_serving.Client(server.target) as client:
        with client.interactive() as made:
            yield made


@pytest.fixture
def slow_session(slow_server):
    with mre_serving.Client(slow_server.target) as client:
        with client.interactive() as made:
            yield made
        slow_server.await_no_rows()


def test_each_request_has_its_own_answer(session, server, images):
    with mre_serving.Client(server.target) as client:
        alone = [client.predict(image, max_steps=5).top for image in images[:200]]
    handles = [session.open(image, max_steps=5) for image in images[:200]]
    assert len({h.request_id for h in handles}) == 200
    # In another order than they were opened in.
    assert [h.result().top for h in reversed(handles)] == alone[::-1]


def test_a_handle_streams_and_keeps_its_result(session, images):
    handle = session.open(images[50], max_steps=6, request_id="mine")
    assert handle.request_id == "mine"
    steps = list(handle)
    assert [p.step for p in steps] == list(range(7))
    assert handle.result() == steps[-1]
    assert list(handle) == []
    handle.stop()  # too late, which is no error


def test_a_batch_ends_with_its_last_row(session, images):
    rows = session.open(images[:3], max_steps=2).result()
    assert [(p.row, p.step) for p in rows] == [(0, 2), (1, 2), (2, 2)]


def test_stop_and_a_new_budget(slow_session):
    stopped = slow_session.open(ZERO)
    shortened = slow_session.open(ZERO, request_id="shortened")
    for p in stopped:
        break
    for p in shortened:
        break
    stopped.stop()
    shortened.set_budget(max_steps=3)
    assert stopped.result().stop_reason is STOP.CLIENT_STOP
    last = shortened.result()
    assert last.stop_reason is STOP.MAX_STEPS
    assert 3 <= last.step < servers.SLOW_STEPS


def test_a_refused_request_leaves_the_others_alone(session, images):
    good = session.open(images[0], max_steps=2)
    bad = session.open(images[0], max_macs=1, request_id="bad")
    later = session.open(images[1], max_steps=2)
    with pytest.raises(mre_serving.InvalidArgument, match="max_macs"):
        bad.result()
    with pytest.raises(mre_serving.InvalidArgument, match="max_macs"):
        next(bad)
    assert good.result().step == later.result().step == 2
    assert session.open(images[2], max_steps=1, request_id="bad").result().final


def test_a_refusal_has_the_model_asked_about_again(images):
    with FakeServer() as server, mre_serving.Client(server.target) as client:
        more = {"metadata": [("traceparent", "00-1")]}
        with client.interactive(**more) as session:
            for count in (1, 2):
                with pytest.raises(mre_serving.NotFound):
                    session.open(np.zeros((2, 2)), model="fake").result()
                assert len(server.models) == count
        assert server.asked[0]["traceparent"] == "00-1"


def test_a_refusal_says_when_to_come_back(start, slow):
    server = start(slow, "--max_active_rows=1", "--max_queued_rows=512",
                   "--max_rows_per_request=512", "--max_queue_ms=0",
                   "--brownout=off")
    many = np.zeros((512, 28, 28, 1), np.uint8)
    with mre_serving.Client(server.target) as client:
        with client.interactive() as session:
            session.open(many, delivery="latest")
            with pytest.raises(mre_serving.ResourceExhausted) as caught:
                session.open(many).result()
            assert caught.value.retry_after > 0


def test_what_is_wrong_is_said_before_it_is_sent(session, images):
    with pytest.raises(mre_serving.InvalidArgument, match=r"\[28, 28, 1\]"):
        session.open(np.zeros((5, 5)))
    running = session.open(images[0], request_id="twice")
    with pytest.raises(mre_serving.InvalidArgument, match='"twice" is still open'):
        session.open(images[0], request_id="twice")
    with pytest.raises(TypeError, match="min_confidenze"):
        running.set_budget(min_confidenze=0.5)
    assert running.result().final


def test_as_many_as_the_server_takes_may_be_open(slow_server, slow_session):
    # Nobody reads meanwhile: opening and steering them must not wait for that.
    handles = [slow_session.open(ZERO, delivery="latest") for _ in range(MAX_OPEN)]
    with pytest.raises(mre_serving.ResourceExhausted, match="1024 requests open"):
        slow_session.open(ZERO)
    for handle in handles:
        handle.stop()
    assert all(h.result().final for h in handles)
    assert slow_session.open(ZERO, max_steps=1).result().final


def unread(latest):
    """Steps 0 to 9 of both rows of a request that nobody reads meanwhile."""
    inbox = Inbox(failed=lambda error: error)
    box = inbox.open("", rows=2, latest=latest)
    for step in range(10):
        update = _proto.PredictUpdate(request_id=box.request_id)
        for row in (0, 1):
            update.predictions.add(row=row, step=step, final=step == 9)
        inbox.deliver(update)
    assert box.ended
    found = []
    while (p := box.take()) is not None:
        found.append((p.row, p.step))
    return found


def test_latest_keeps_the_newest_of_what_nobody_took():
    assert unread(latest=True) == [(0, 9), (1, 9)]
    assert unread(latest=False) == [(row, step) for step in range(10)
                                    for row in (0, 1)]


def test_threads_may_share_a_session(session, images):
    found = {}

    def ask(i):
        found[i] = [p.step for p in session.open(images[i], max_steps=10)]
    threads = [threading.Thread(target=ask, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {i: list(range(11)) for i in range(16)}


def test_leaving_the_session_cancels_what_runs(slow_server):
    with mre_serving.Client(slow_server.target) as client:
        with client.interactive() as session:
            handles = [session.open(ZERO) for _ in range(8)]
            next(handles[0])
        slow_server.await_no_rows()
        with pytest.raises(mre_serving.Cancelled):
            for handle in handles:
                handle.result()
        with pytest.raises(mre_serving.Cancelled):
            session.open(ZERO)


def test_a_lost_server_ends_every_handle(start, slow):
    server = start(slow)
    with mre_serving.Client(server.target) as client:
        with client.interactive() as session:
            handles = [session.open(ZERO) for _ in range(3)]
            next(handles[0])
            server.kill()
            for handle in handles:
                with pytest.raises(mre_serving.Unavailable):
                    handle.result()
            with pytest.raises(mre_serving.Unavailable):
                session.open(ZERO)


def test_a_session_has_a_timeout(slow_server):
    with mre_serving.Client(slow_server.target) as client:
        client.predict(ZERO, max_steps=1)
        with client.interactive(timeout=0.05) as session:
            handles = [session.open(ZERO) for _ in range(64)]
            with pytest.raises(mre_serving.DeadlineExceeded):
                for handle in handles:
                    handle.result()
