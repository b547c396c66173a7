"""ModelInfer against the real server, as stock clients call it: every parameter
in every type, every status; and both calls against our own service: the same
numbers, bit for bit.
"""
import time

import numpy as np

import inference_client as client
from inference_client import (MODEL, OUTPUTS, Code, Fixture, images, refused,
                              rows_of, run, same_rows, start_server, steps_of)


def check_same_numbers(f):
    """Predict and ModelInfer, the two streams, both types, both forms."""
    inputs = [(values, contents)
              for seed in range(3) for dtype in (np.uint8, np.float32)
              for values in (images(1 + seed, seed).astype(dtype),)
              for contents in ("raw", "typed")]
    for values, contents in inputs:
        own = f.own.Predict(f.own_request(values, max_steps=9)).predictions
        got = f.infer(values, contents=contents, request_id="one",
                      parameters={"max_steps": 9})
        assert [o.name for o in got.response.outputs] == OUTPUTS
        assert len(got.response.raw_output_contents) == len(OUTPUTS)
        assert (got.response.id, got.response.model_name,
                got.response.model_version) == ("one", MODEL, "1")
        assert got.parameter("stop_reason") == "max_steps"
        same_rows(got, own)

        by_step = {}
        for update in f.own.PredictStream(f.own_request(values, max_steps=9)):
            for p in update.predictions:
                by_step.setdefault(p.step, {})[p.row] = p
        stream, responses = f.stream()
        stream.infer(f.request(values, contents=contents,
                               parameters={"max_steps": "9"}))
        seen = {}
        for got in responses.until_final():
            rows = rows_of(got, len(values))
            step = got.array("step")[0]
            assert all(s == step for s in got.array("step"))
            same_rows(got, [by_step[step][row] for row in rows])
            for row in rows:
                seen.setdefault(row, []).append(step)
        assert seen == {row: list(range(10)) for row in range(len(values))}
        stream.stop()
        assert stream.status == Code.OK


def check_outputs_asked_for(f):
    got = f.infer(images(2), outputs=["step", "class_index"],
                  parameters={"max_steps": 2})
    assert [o.name for o in got.response.outputs] == ["step", "class_index"]
    assert list(got.array("step")) == [2, 2]
    assert got.array("class_index").shape == (2,)
    refused(lambda: f.infer(images(1), outputs=["step", "logits"]),
            Code.INVALID_ARGUMENT, "outputs[1].name", "class_index", '"logits"')
    refused(lambda: f.infer(images(1), outputs=["step", "step"]),
            Code.INVALID_ARGUMENT, "outputs[1].name", "once")
    request = f.request(images(1), outputs=["class_index"])
    request.outputs[0].parameters["classification"].int64_param = 3
    refused(lambda: f.stub.ModelInfer(request), Code.INVALID_ARGUMENT,
            "outputs[0].parameters", "probabilities")


def check_budgets(f):
    image = images(1, 7)
    full = f.infer(image)
    assert full.array("step")[0] == 32 and full.array("final")[0]
    assert full.parameter("stop_reason") == "exhausted"
    steps = steps_of(f, image)
    confidence = [s.array("confidence")[0] for s in steps]
    coverage = [s.array("ray_coverage")[0] for s in steps]

    def first(values, bound):
        return next(i for i, v in enumerate(values) if v >= np.float32(bound))

    bound = float(max(confidence))
    cases = [
        ("max_steps", 3, 3, "max_steps"),
        ("max_steps", "3", 3, "max_steps"),
        ("max_steps", 3.0, 3, "max_steps"),
        ("max_steps", ("uint64_param", 3), 3, "max_steps"),
        ("max_macs", 62720, 1, "max_macs"),
        ("max_macs", "62720", 1, "max_macs"),
        ("max_macs", ("uint64_param", 53888), 0, "max_macs"),
        ("min_confidence", bound, first(confidence, bound), "confidence"),
        ("min_confidence", repr(bound), first(confidence, bound), "confidence"),
        ("min_ray_coverage", 0.5, first(coverage, 0.5), "ray_coverage"),
        ("min_ray_coverage", "0.5", first(coverage, 0.5), "ray_coverage"),
        ("min_ray_coverage", 1, first(coverage, 1), "ray_coverage"),
        ("max_time_us", 1, 0, "max_time"),
        ("max_time_us", "1", 0, "max_time"),
        ("timeout", 1, 0, "max_time"),
        ("timeout", "1", 0, "max_time"),
        ("timeout", ("uint64_param", 1), 0, "max_time"),
        ("timeout", 60_000_000, 32, "exhausted"),
        ("stable_steps", 1, None, "stable"),
        ("stable_steps", "1", None, "stable"),
    ]
    for name, value, step, reason in cases:
        got = f.infer(image, parameters={name: value})
        assert got.parameter("stop_reason") == reason, (name, value)
        if step is not None:
            assert got.array("step")[0] == step, (name, value, step)
    # The shorter of the two.
    got = f.infer(image, parameters={"max_time_us": 60_000_000}, timeout=1)
    assert got.parameter("stop_reason") == "max_time"
    got = f.infer(image, parameters={"max_time_us": 1}, timeout=60_000_000)
    assert got.parameter("stop_reason") == "max_time"

    sampled = [tuple(f.infer(image, parameters={
        "sampled": flag, "seed": seed, "max_steps": 9}).array("macs")) +
        (f.infer(image, parameters={"sampled": flag, "seed": seed,
                                    "max_steps": 9}).array(
                                        "probabilities").tobytes(),)
        for flag, seed in ((True, 5), ("true", "5"), (True, 6), (False, 5))]
    own = f.own_request(image, max_steps=9)
    own.routing.sampled, own.routing.seed = True, 5
    p = f.own.Predict(own).predictions[0]
    assert sampled[0][1] == np.array(p.probabilities, np.float32).tobytes()
    assert sampled[0] == sampled[1]
    assert sampled[0] != sampled[2] and sampled[0] != sampled[3]

    for priority in (1, 9):
        assert f.infer(image, priority=priority).array("step")[0] == 32
    assert f.infer(image, parameters={"priority": 3}).array("step")[0] == 32

    # Rows that stop for different reasons each say theirs.
    several = f.infer(images(8, 3), parameters={"min_confidence": 0.9})
    reasons = several.parameter("stop_reason").split(",")
    enough = several.array("confidence") >= np.float32(0.9)
    if len(reasons) > 1:
        assert reasons == ["confidence" if e else "exhausted" for e in enough]


def check_refusals(f):
    image = images(1)
    invalid = Code.INVALID_ARGUMENT

    def bad(code, *words, **changes):
        request = f.request(image, parameters=changes.pop("parameters", None))
        change = changes.pop("change", None)
        if change:
            change(request)
        refused(lambda: f.stub.ModelInfer(request), code, *words)

    def put(**fields):
        def change(request):
            for name, value in fields.items():
                setattr(request, name, value)
        return change

    def put_input(**fields):
        def change(request):
            for name, value in fields.items():
                setattr(request.inputs[0], name, value)
        return change

    def shape(*dims):
        def change(request):
            request.inputs[0].shape[:] = dims
        return change

    bad(Code.NOT_FOUND, "model_name", MODEL, change=put(model_name="none"))
    bad(Code.NOT_FOUND, "model_version", change=put(model_version="9"))
    bad(invalid, "model_version", '"01"', change=put(model_version="01"))
    bad(Code.NOT_FOUND, "model_label", '"newest"',
        change=put(model_version="newest"))
    bad(invalid, "id", "256", change=put(id="x" * 257))
    bad(invalid, "inputs[0].name", '"image"', change=put_input(name="image"))
    bad(invalid, "inputs[0].datatype", '"FP64"',
        change=put_input(datatype="FP64"))
    bad(invalid, "inputs[0].shape", "[rows,28,28,1]", change=shape(28, 28, 1))
    bad(invalid, "inputs[0].shape", "256", change=shape(257, 28, 28, 1))
    bad(invalid, "inputs[0].shape", change=shape(-1, 28, 28, 1))
    bad(invalid, "raw_input_contents[0]", "784",
        change=lambda r: r.raw_input_contents.__setitem__(0, b"x"))
    bad(invalid, "raw_input_contents", "got 2",
        change=lambda r: r.raw_input_contents.append(b""))
    bad(invalid, "inputs[0].contents", "one or the other",
        change=lambda r: r.inputs[0].contents.uint_contents.append(1))
    bad(invalid, "inputs[0].contents.uint_contents", "784", "got 0",
        change=lambda r: r.ClearField("raw_input_contents"))
    bad(invalid, "inputs", "got 0", change=lambda r: r.ClearField("inputs"))
    bad(invalid, "inputs", "got 2",
        change=lambda r: r.inputs.add(name="input"))
    shared = lambda r: client.set_parameters(
        r.inputs[0], {"shared_memory_region": "r"})
    bad(invalid, "inputs[0].parameters", "shared memory", change=shared)

    for name, value in (("max_steps", -1), ("max_steps", 1.5),
                        ("max_steps", "many"), ("max_steps", True),
                        ("max_steps", 1 << 32), ("max_macs", 1),
                        ("min_confidence", 1.5), ("min_confidence", "high"),
                        ("min_confidence", float("nan")),
                        ("min_confidence", 50), ("min_ray_coverage", -0.5),
                        ("theta_out", 0.5), ("sampled", 2), ("seed", -1),
                        ("timeout", -1), ("timeout", 0.5), ("priority", 10),
                        ("priority", -1), ("sequence_id", 7),
                        ("sequence_start", True), ("max_step", 3),
                        ("binary_data_output", True),
                        ("triton_enable_empty_final_response", 1)):
        bad(invalid, f'parameters["{name}"]', parameters={name: value})
    for name, value in (("sequence_id", 0), ("sequence_end", False),
                        ("triton_of_tomorrow", "x")):
        assert f.infer(image, parameters={name: value}).array("final")[0]
    refused(lambda: f.stub.ModelInfer(f.request(images(256)), timeout=0.001),
            Code.DEADLINE_EXCEEDED)
    refused(lambda: f.infer(image.astype(np.float32) * np.float32("nan")),
            invalid, "raw_input_contents[0]", "finite")
    refused(lambda: f.infer(image.astype(np.float32) * np.float32("nan"),
                            contents="typed"),
            invalid, "inputs[0].contents.fp32_contents", "finite")


def overtakes(f, priority):
    """Whether a row is answered before most of what was asked before it."""
    waiting = f.request(images(256), priority=9)
    there = f.series("mre_rows_total") + 25000
    calls = [f.stub.ModelInfer.future(waiting) for _ in range(100)]
    # They are all there, and most of them wait.
    deadline = time.monotonic() + 60
    while f.series("mre_queued_rows") + f.series("mre_rows_total") < there:
        assert time.monotonic() < deadline
    assert f.infer(images(1), priority=priority).array("final")[0]
    done = sum(call.done() for call in calls)
    for call in calls:
        call.cancel()
    f.await_no_rows()
    return done < 50


def check_priority(stubs, binary, repository):
    """Of what one client asks the urgent is answered first."""
    server, target, metrics = start_server(
        binary, repository, ["--max_active_rows=1", "--brownout=off",
                             "--max_queue_ms=0", "--max_queued_rows=26000"])
    try:
        f = Fixture(stubs, target, metrics)
        assert not overtakes(f, priority=9)
        for priority in (1, 0):
            # More than one try takes only a test that slept while those waited.
            assert any(overtakes(f, priority) for _ in range(10)), priority
    finally:
        server.terminate()
        assert server.wait(60) == 0


if __name__ == "__main__":
    run([check_same_numbers, check_outputs_asked_for, check_budgets,
         check_refusals], alone=[check_priority])
