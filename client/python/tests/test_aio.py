"""The client for asyncio: what differs from the blocking one."""
import asyncio

import grpc
import numpy as np
import pytest

import mre_serving
import servers
from fake_server import HELD, FakeServer

CODE = grpc.StatusCode
STOP = mre_serving.StopReason
ZERO = np.zeros((28, 28, 1), np.uint8)
SMALL = np.zeros((2, 2, 1), np.uint8)
QUICK = mre_serving.RetryPolicy(initial_backoff=0.001, max_backoff=0.002)


def with_client(server, body, **options):
    """Runs the coroutine function `body` with a client of the server."""
    async def run():
        async with mre_serving.AsyncClient(server.target, **options) as client:
            return await body(client)
    return asyncio.run(asyncio.wait_for(run(), 120))


def test_the_numbers_are_those_of_the_blocking_client(server, images):
    async def body(client):
        steps = [p async for p in client.stream(images[50], probabilities=True)]
        return (steps, await client.predict(images[50], max_steps=4),
                await client.predict(images[:3], max_steps=4),
                await client.predict_rows(images[0], max_steps=4),
                await client.models(), await client.model(), await client.health())

    steps, one, rows, list_of_one, models, model, health = with_client(server, body)
    with mre_serving.Client(server.target) as client:
        same = list(client.stream(images[50], probabilities=True))
        assert [(p.step, p.top, p.macs) for p in steps] == [
            (p.step, p.top, p.macs) for p in same]
        assert all(np.array_equal(a.probabilities, b.probabilities)
                   for a, b in zip(steps, same))
        assert one.top == client.predict(images[50], max_steps=4).top
        assert [p.top for p in rows] == [
            p.top for p in client.predict(images[:3], max_steps=4)]
        assert list_of_one[0].top == rows[0].top
        assert models == [model] == client.models()
        assert health is mre_serving.Health.SERVING


def test_many_calls_at_once(server, images):
    async def body(client):
        return await asyncio.gather(*(client.predict(i) for i in images[:100]))

    with mre_serving.Client(server.target) as client:
        alone = [client.predict(image).top for image in images[:100]]
    assert [p.top for p in with_client(server, body)] == alone


def test_errors(server, images):
    async def body(client):
        with pytest.raises(mre_serving.InvalidArgument, match=r"\[28, 28, 1\]"):
            await client.predict(np.zeros((5, 5)))
        with pytest.raises(mre_serving.InvalidArgument, match="max_macs"):
            async for p in client.stream(images[0], max_macs=1):
                pass
        with pytest.raises(mre_serving.NotFound, match="nobody"):
            await client.predict(images[0], model="nobody")
        with pytest.raises(TypeError, match="max_step"):
            client.stream(images[0], max_step=1)
        await client.close()
        with pytest.raises(mre_serving.Cancelled):
            await client.models()
    with_client(server, body)


async def until(holds):
    while not holds():  # with_client has a deadline
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("kind", ["predict", "stream", "session"])
def test_closing_the_client_cancels_what_runs(kind):
    async def ask(client):
        if kind == "predict":
            return await client.predict(SMALL, model="fake")
        if kind == "stream":
            return [p async for p in client.stream(SMALL, model="fake")]
        session = client.interactive()
        return await (await session.open(SMALL, model="fake")).result()

    async def body(client):
        tasks = [asyncio.ensure_future(ask(client)) for _ in range(3)]
        await until(lambda: server.held == 3)
        # This one is cancelled, which must not look like an error of the call.
        tasks[0].cancel()
        await client.close()
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]
        for task in tasks[1:]:
            with pytest.raises(mre_serving.Cancelled):
                await task

    with FakeServer([HELD] * 3) as server:
        with_client(server, body)


def test_closing_the_client_ends_a_wait_for_the_next_attempt():
    patient = mre_serving.RetryPolicy(max_time=10_000)
    busy = (0, CODE.RESOURCE_EXHAUSTED, (("grpc-retry-pushback-ms", "3600000"),))

    async def body(client):
        task = asyncio.ensure_future(client.predict(SMALL, model="fake"))
        await until(lambda: len(server.calls) == 1)
        await asyncio.wait({task}, timeout=0.1)  # until it waits
        await client.close()
        with pytest.raises(mre_serving.Cancelled):
            await task

    with FakeServer([busy]) as server:
        with_client(server, body, retry=patient)


def test_a_model_of_another_shape_is_asked_about_again():
    async def body(client):
        await client.predict(SMALL, model="fake")
        server.shape = (3, 3, 1)
        assert (await client.predict(np.zeros((3, 3)), model="fake")).final
        assert len(server.models) == 2
        async with client.interactive() as session:
            server.shape = (4, 4, 1)
            handle = await session.open(np.zeros((4, 4)), model="fake")
            with pytest.raises(mre_serving.NotFound):
                await handle.result()
            assert client._models == {}

    with FakeServer() as server:
        with_client(server, body)


def cancelled(server):
    return server.metric("mre_requests_total", 'code="CANCELLED"')


def test_leaving_the_loop_cancels_the_call(slow_server):
    many = np.zeros((64, 28, 28, 1), np.uint8)
    before = cancelled(slow_server)

    async def body(client):
        async for p in client.stream(many, probabilities=True, top_k=10):
            break
        # The client lives on, so it is the loop that cancels.
        await asyncio.to_thread(slow_server.await_metric, lambda v: v == before + 1,
                                "mre_requests_total", 'code="CANCELLED"')
        await asyncio.to_thread(slow_server.await_no_rows)
    with_client(slow_server, body)


def test_a_cancelled_task_cancels_its_call(slow_server):
    many = np.zeros((256, 28, 28, 1), np.uint8)
    before = cancelled(slow_server)

    async def body(client):
        await client.model()
        task = asyncio.ensure_future(client.predict(many))
        await asyncio.to_thread(slow_server.await_metric, lambda v: v > 0,
                                "mre_active_rows")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(slow_server.await_metric, lambda v: v == before + 1,
                                "mre_requests_total", 'code="CANCELLED"')
    with_client(slow_server, body)


def test_a_timeout(slow_server):
    async def body(client):
        many = np.zeros((256, 28, 28, 1), np.uint8)
        await client.model()
        with pytest.raises(mre_serving.DeadlineExceeded):
            await client.predict(many, timeout=0.02)
        with pytest.raises(mre_serving.DeadlineExceeded):
            async for p in client.stream(many, timeout=0.02):
                pass
    with_client(slow_server, body)
    slow_server.await_no_rows()


@pytest.mark.parametrize("script, calls, error", [
    ([(0, CODE.UNAVAILABLE, ())] * 3, 4, None),
    ([(0, CODE.RESOURCE_EXHAUSTED, (("grpc-retry-pushback-ms", "1"),))], 2, None),
    ([(0, CODE.UNAVAILABLE, ())] * 9, 6, mre_serving.Unavailable),
    ([(0, CODE.RESOURCE_EXHAUSTED, ())], 1, mre_serving.ResourceExhausted),
    ([(0, CODE.INTERNAL, ())], 1, mre_serving.MreError),
])
@pytest.mark.parametrize("streamed", [False, True])
def test_retries_only_where_safe(script, calls, error, streamed):
    async def body(client):
        async def ask():
            if not streamed:
                return await client.predict(SMALL, model="fake")
            return [p async for p in client.stream(SMALL, model="fake")][-1]
        if error is None:
            assert (await ask()).final
        else:
            with pytest.raises(error):
                await ask()

    with FakeServer(script) as server:
        with_client(server, body, retry=QUICK)
        assert len(server.calls) == calls


def test_never_after_a_message():
    async def body(client):
        seen = 0
        with pytest.raises(mre_serving.Unavailable):
            async for p in client.stream(SMALL, model="fake"):
                seen += 1
        assert seen == 2

    with FakeServer([(2, CODE.UNAVAILABLE, ())]) as server:
        with_client(server, body, retry=QUICK, token="secret")
        assert [c["authorization"] for c in server.calls] == ["Bearer secret"]


def test_a_server_that_was_started_again_is_found(start, single, images):
    server = start(single)
    patient = mre_serving.RetryPolicy(attempts=1000, max_time=120)

    async def body(client):
        first = await client.predict(images[0])
        server.kill()
        task = asyncio.ensure_future(client.predict(images[0]))
        await asyncio.to_thread(server.start)
        assert (await task).top == first.top
    with_client(server, body, retry=patient)


def test_each_request_of_a_session_has_its_own_answer(server, images):
    async def body(client):
        alone = [(await client.predict(i, max_steps=5)).top for i in images[:100]]
        async with client.interactive() as session:
            handles = [await session.open(i, max_steps=5) for i in images[:100]]
            results = await asyncio.gather(*(h.result() for h in handles))
            assert [p.top for p in results] == alone
            rows = await (await session.open(images[:3], max_steps=2)).result()
            assert [p.row for p in rows] == [0, 1, 2]
            bad = await session.open(images[0], max_macs=1, request_id="bad")
            with pytest.raises(mre_serving.InvalidArgument, match="max_macs"):
                await bad.result()
    with_client(server, body)


def test_stop_and_a_new_budget(slow_server):
    async def body(client):
        async with client.interactive() as session:
            stopped = await session.open(ZERO)
            shortened = await session.open(ZERO)
            async for p in stopped:
                break
            await stopped.stop()
            await shortened.set_budget(max_steps=3)
            assert (await stopped.result()).stop_reason is STOP.CLIENT_STOP
            last = await shortened.result()
            assert last.stop_reason is STOP.MAX_STEPS
            assert last.step < servers.SLOW_STEPS
    with_client(slow_server, body)


def test_a_waiter_that_is_cancelled_leaves_the_session_alone(slow_server):
    async def body(client):
        async with client.interactive() as session:
            first = await session.open(ZERO)
            second = await session.open(ZERO)
            waiter = asyncio.ensure_future(first.result())
            while session._reading is None:  # until it waits for the server
                await asyncio.sleep(0)
            waiter.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiter
            assert (await second.result()).step == servers.SLOW_STEPS
            assert (await first.result()).step == servers.SLOW_STEPS
    with_client(slow_server, body)


def test_leaving_the_session_cancels_what_runs(slow_server):
    async def body(client):
        async with client.interactive() as session:
            handles = [await session.open(ZERO) for _ in range(8)]
            await handles[0].__anext__()
            waiter = asyncio.ensure_future(handles[1].result())
            await asyncio.sleep(0)
        with pytest.raises(mre_serving.Cancelled):
            await handles[0].result()
        with pytest.raises(mre_serving.Cancelled):
            await waiter
        with pytest.raises(mre_serving.Cancelled):
            await session.open(ZERO)
        await asyncio.to_thread(slow_server.await_no_rows)
    with_client(slow_server, body)


def test_a_lost_server_ends_every_handle(start, slow):
    server = start(slow)

    async def body(client):
        async with client.interactive() as session:
            handles = [await session.open(ZERO) for _ in range(3)]
            await handles[0].__anext__()
            server.kill()
            for handle in handles:
                with pytest.raises(mre_serving.Unavailable):
                    await handle.result()
            with pytest.raises(mre_serving.Unavailable):
                await session.open(ZERO)
    with_client(server, body)
