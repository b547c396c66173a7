"""ModelStreamInfer against the real server, as the decoupled streams of stock
clients use it.
"""
import queue
import time

from inference_client import (MODEL, Code, Fixture, Result, images, refused,
                              rows_of, run, start_server, steps_of)


def check_stream_of_requests(f):
    stream, responses = f.stream()
    asked = {"a": 6, "b": 4, "c": 0}
    for name, steps in asked.items():
        budget = {"max_steps": steps} if steps else {"max_macs": 53888}
        stream.infer(f.request(images(1, 1), request_id=name,
                               outputs=["step", "final"], parameters=budget))
    seen = {name: [] for name in asked}
    ended = set()
    while ended != set(asked):
        got = responses.result()
        name = got.response.id
        assert name not in ended
        seen[name].append(int(got.array("step")[0]))
        assert [o.name for o in got.response.outputs] == ["step", "final"]
        assert got.final() == bool(got.array("final")[0])
        if got.final():
            ended.add(name)
            assert got.parameter("stop_reason") in ("max_steps", "max_macs")
        else:
            assert got.parameter("stop_reason") is None
    assert seen == {name: list(range(steps + 1))
                    for name, steps in asked.items()}
    # The same id twice, and none, are legal.
    for name in ("x", "x", "", ""):
        stream.infer(f.request(images(1), request_id=name,
                               parameters={"max_steps": 1}))
    got = [responses.result() for _ in range(8)]
    assert sorted(r.response.id for r in got) == ["", "", "", "", "x", "x",
                                                  "x", "x"]
    assert sum(r.final() for r in got) == 4
    stream.stop()
    assert stream.status == Code.OK and responses.empty()


def check_stream_rows(f):
    """Rows that end at different steps: a response has those that are in it."""
    values = images(6, 11)
    alone = [steps_of(f, values[i:i + 1], min_confidence=0.8)
             for i in range(6)]
    stream, responses = f.stream()
    stream.infer(f.request(values, parameters={"min_confidence": 0.8}))
    seen = [[] for _ in range(6)]
    for got in responses.until_final():
        rows = rows_of(got, 6)
        assert len(set(rows)) == len(rows) == got.response.outputs[0].shape[0]
        final = got.array("final")
        reasons = got.parameter("stop_reason")
        assert (reasons is not None) == final.any()
        for i, row in enumerate(rows):
            seen[row].append((int(got.array("step")[i]), bool(final[i]),
                              got.array("probabilities")[i].tobytes()))
    stream.stop()
    assert len({len(steps) for steps in seen}) > 1, "all end at one step"
    for row in range(6):
        assert seen[row] == [(int(r.array("step")[0]), r.final(),
                              r.array("probabilities")[0].tobytes())
                             for r in alone[row]], row


def check_empty_final_response(f):
    stream, responses = f.stream()
    for wants in (True, False):
        stream.infer(f.request(images(2), request_id="e", parameters={
            "max_steps": 2, "triton_enable_empty_final_response": wants}))
        got = responses.until_final()
        assert [r.final() for r in got] == [False] * (len(got) - 1) + [True]
        assert (len(got[-1].response.outputs) == 0) == wants
        assert (len(got[-1].response.raw_output_contents) == 0) == wants
        assert got[-1].response.id == "e"
        with_outputs = [r for r in got if r.response.outputs]
        assert with_outputs[-1].array("final").all()
    stream.infer(f.request(images(1), parameters={
        "triton_enable_empty_final_response": "true"}))
    _, error = responses.next()
    assert "triton_enable_empty_final_response" in error
    stream.stop()
    assert stream.status == Code.OK and responses.empty()


def check_stream_errors(f):
    stream, responses = f.stream()
    bad = f.request(images(1), request_id="bad", version="9")
    stream.infer(bad)
    stream.infer(f.request(images(1), request_id="good",
                           parameters={"max_steps": 1}))
    results, errors = [], []
    for _ in range(3):
        result, error = responses.next()
        (errors if error else results).append((result, error))
    [(echo, message)] = errors
    assert "model_version" in message
    assert (echo.response.id, echo.response.model_name,
            echo.response.model_version) == ("bad", MODEL, "9")
    assert echo.final() and not echo.response.outputs
    assert [r.response.id for r, _ in results] == ["good", "good"]
    long = f.request(images(1), request_id="\u00e9" * 300)
    long.model_name = "\u00e9" * 300
    stream.infer(long)
    echo, message = responses.next()
    assert "model_name" in message and echo.response.id == ""
    stream.stop()
    assert stream.status == Code.OK

    for header, ends in (("true", True), ("false", False)):
        stream, responses = f.stream((("triton_grpc_error", header),))
        stream.infer(bad)
        result, error = responses.next()
        if ends:
            assert error.code() == Code.NOT_FOUND
            assert "model_version" in error.details()
        else:
            assert result.response.id == "bad" and "model_version" in error
        stream.stop()
        assert stream.status == (Code.NOT_FOUND if ends else Code.OK)


def check_cancel_frees_rows(f):
    f.await_no_rows()
    before = f.series("mre_rows_total")
    stream, responses = f.stream()
    for i in range(64):
        stream.infer(f.request(images(64), request_id=str(i)))
    responses.result()
    stream.stop(cancel_requests=True)
    assert stream.status == Code.CANCELLED
    f.await_no_rows()
    # They were freed, not run to their ends.
    assert f.series("mre_rows_total") - before < 64 * 64
    deadline = time.monotonic() + 60
    while f.series("mre_open_streams") > 0:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def check_half_close_answers_what_is_open(f):
    stream, responses = f.stream()
    for i in range(20):
        stream.infer(f.request(images(4), request_id=str(i)))
    stream.stop()
    assert stream.status == Code.OK
    ends = set()
    while not responses.empty():
        got = responses.result()
        if got.final():
            ends.add(got.response.id)
    assert ends == {str(i) for i in range(20)}


def unread(f, requests):
    """A call whose client reads nothing yet, once its rows pause for it."""
    call = f.stub.ModelStreamInfer(iter(requests))
    macs = [-1, -2]
    deadline = time.monotonic() + 60
    while (macs[-1] != macs[-2] or f.series("mre_queued_rows") > 0 or
           f.series("mre_active_rows") == 0):
        assert time.monotonic() < deadline, "its rows never pause"
        time.sleep(0.2)
        macs.append(f.series("mre_macs_total"))
    return call


def check_slow_reader(f):
    """Rows pause until they are read, and no step is left out."""
    call = unread(f, [f.request(images(4, i), request_id=str(i))
                      for i in range(700)])
    assert f.series("mre_active_rows") > 0
    seen = {}
    for response in call:
        got = Result(response.infer_response)
        for row, step in zip(rows_of(got, 4), got.array("step")):
            seen.setdefault((got.response.id, row), []).append(int(step))
    assert len(seen) == 2800
    assert all(steps == list(range(33)) for steps in seen.values())
    assert call.code() == Code.OK


def check_requests_run_beside_each_other(f):
    """One that comes last is computed, and answered, before the others."""
    requests = queue.Queue()
    for i in range(700):
        requests.put(f.request(images(4, i), request_id=f"long {i}"))
    call = unread(f, iter(requests.get, None))
    # None of the others can go on for as long as nothing is read, and none of
    # them ends for this reason.
    reason = 'reason="max_steps"'
    ended = f.series("mre_stops_total", reason)
    requests.put(f.request(images(1), request_id="short",
                           parameters={"max_steps": 2}))
    deadline = time.monotonic() + 60
    while f.series("mre_stops_total", reason) == ended:
        assert time.monotonic() < deadline, "it waits for the others"
        time.sleep(0.01)
    assert f.series("mre_active_rows") > 0
    requests.put(None)
    order = []
    for response in call:
        got = Result(response.infer_response)
        if got.final():
            order.append(got.response.id)
    assert len(order) == 701 and order[-1] != "short", order


def check_open_requests_are_bounded(f):
    """One that reads nothing is refused what would have to be remembered."""
    def refusals():
        return f.series("mre_requests_total", 'code="RESOURCE_EXHAUSTED"')
    before = refusals()
    # Long names fill the transport's buffers.
    call = f.stub.ModelStreamInfer(iter([
        f.request(images(1), request_id=f"{i:250}", parameters={"max_steps": 20})
        for i in range(1500)]))
    deadline = time.monotonic() + 60
    while refusals() == before:
        assert time.monotonic() < deadline, "none is refused"
        time.sleep(0.01)
    steps, errors = {}, []
    for response in call:
        if response.error_message:
            errors.append(response.error_message)
        else:
            name = response.infer_response.id
            steps[name] = steps.get(name, 0) + 1
    assert len(errors) > 0 and len(steps) + len(errors) == 1500
    assert all("requests open, its limit" in error for error in errors)
    assert set(steps.values()) == {21}
    assert call.code() == Code.OK


def check_readers_who_are_slow(stubs, binary, repository):
    server, target, metrics = start_server(
        binary, repository, ["--brownout=off", "--max_queue_ms=0"])
    try:
        # A connection each: how much waits in a transport depends on its past.
        for check in (check_slow_reader, check_requests_run_beside_each_other,
                      check_open_requests_are_bounded):
            f = Fixture(stubs, target, metrics)
            check(f)
            f.await_no_rows()
    finally:
        server.terminate()
        assert server.wait(60) == 0


def queue_is_full(error):
    """A call's end that says so, and when to come back."""
    assert error.code() == Code.RESOURCE_EXHAUSTED, error
    assert "queue is full" in error.details(), error
    trailing = dict(error.trailing_metadata())
    assert int(trailing["grpc-retry-pushback-ms"]) > 0, trailing


def check_full_queue(stubs, binary, repository):
    """RESOURCE_EXHAUSTED, in each of the ways in which it is told."""
    server, target, metrics = start_server(
        binary, repository, ["--max_active_rows=1", "--max_queued_rows=4",
                             "--brownout=off", "--max_queue_ms=0"])
    try:
        f = Fixture(stubs, target, metrics)
        refused(lambda: f.infer(images(5)), Code.INVALID_ARGUMENT, "1 to 4")
        exhausted = 0
        stream, responses = f.stream()
        for i in range(200):
            stream.infer(f.request(images(4), request_id=str(i)))
        ended = 0
        while ended < 200:
            result, error = responses.next()
            ended += result.final()
            if error:
                assert "queue is full" in error, error
                exhausted += 1
        stream.stop()
        assert stream.status == Code.OK and 0 < exhausted < 200
        stream, responses = f.stream((("triton_grpc_error", "true"),))
        for i in range(200):
            stream.infer(f.request(images(4)))
        error = None
        while error is None:
            _, error = responses.next()
        queue_is_full(error)
        stream.stop()
        assert stream.status == Code.RESOURCE_EXHAUSTED
        f.await_no_rows()
        calls = [f.stub.ModelInfer.future(f.request(images(4)))
                 for _ in range(200)]
        errors = [call.exception(timeout=60) for call in calls]
        assert 0 < sum(error is not None for error in errors) < 200
        for error in errors:
            if error is not None:
                queue_is_full(error)
        f.await_no_rows()
    finally:
        server.terminate()
        assert server.wait(60) == 0


def until_refused(f):
    # It may be admitted as long as the drain has just begun.
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        f.infer(images(1))


def check_drain(stubs, binary, repository):
    """What is open is answered; the server is not ready, and takes no more."""
    server, target, metrics = start_server(
        binary, repository, ["--brownout=off", "--max_queue_ms=0"])
    try:
        f = Fixture(stubs, target, metrics)
        idle, responses = Fixture(stubs, target, metrics).stream()
        idle.infer(f.request(images(1), parameters={"max_steps": 1}))
        responses.until_final()
        call = unread(f, [f.request(images(4), request_id=str(i))
                          for i in range(700)])
        pb, stub = f.pb, f.stub
        assert stub.ServerReady(pb.ServerReadyRequest()).ready
        server.terminate()
        _, error = responses.next()  # of the one that has nothing open
        assert error.code() == Code.UNAVAILABLE, error
        idle.stop()
        assert not stub.ServerReady(pb.ServerReadyRequest()).ready
        assert not stub.ModelReady(pb.ModelReadyRequest(name=MODEL)).ready
        assert stub.ServerLive(pb.ServerLiveRequest()).live
        refused(lambda: until_refused(f), Code.UNAVAILABLE, "shutting down")
        finals = []
        for response in call:
            finals.append(Result(response.infer_response).final())
            # All is computed by now; the rest of the drain is for reading.
            if finals[-1] and sum(finals) == 1:
                time.sleep(3)
        assert sum(finals) == 700 and finals[-1]
        assert server.wait(60) == 0
    finally:
        server.kill()
        server.wait(60)


if __name__ == "__main__":
    run([check_stream_of_requests, check_stream_rows,
         check_empty_final_response, check_stream_errors,
         check_cancel_frees_rows, check_half_close_answers_what_is_open],
        alone=[check_readers_who_are_slow, check_full_queue, check_drain])
