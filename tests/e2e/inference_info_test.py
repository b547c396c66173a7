"""What inference.GRPCInferenceService tells about the server, its models and
their statistics, and the calls of perf_analyzer in their order.
"""
import os
import shutil
import tempfile
import time

from inference_client import (MODEL, Code, Fixture, images, make_request,
                              refused, run, start_server)


def check_server(f):
    pb, stub = f.pb, f.stub
    assert stub.ServerLive(pb.ServerLiveRequest()).live
    assert stub.ServerReady(pb.ServerReadyRequest()).ready
    for name, version, ready in ((MODEL, "", True), (MODEL, "1", True),
                                 (MODEL, "9", False), ("none", "", False)):
        request = pb.ModelReadyRequest(name=name, version=version)
        assert stub.ModelReady(request).ready == ready, (name, version)
    server = stub.ServerMetadata(pb.ServerMetadataRequest())
    assert server.name == "mre-server" and server.version
    assert "statistics" in server.extensions
    assert not any("memory" in name or "trace" in name or "log" in name
                   for name in server.extensions)


def check_metadata(f):
    model = f.stub.ModelMetadata(f.pb.ModelMetadataRequest(name=MODEL))
    assert (model.name, list(model.versions), model.platform) == (
        MODEL, ["1"], "mre")
    [tensor] = model.inputs
    assert (tensor.name, tensor.datatype, list(tensor.shape)) == (
        "input", "UINT8", [-1, 28, 28, 1])
    assert [(o.name, o.datatype, list(o.shape)) for o in model.outputs] == [
        ("probabilities", "FP32", [-1, 10]), ("class_index", "INT32", [-1]),
        ("confidence", "FP32", [-1]), ("step", "INT32", [-1]),
        ("macs", "UINT64", [-1]), ("ray_coverage", "FP32", [-1]),
        ("final", "BOOL", [-1])]
    assert model.properties["kind"] == "mre"
    assert model.properties["max_steps"] == "32"
    assert model.properties["class.9"] == "Ankle boot"
    for version, code in (("9", Code.NOT_FOUND), ("01", Code.INVALID_ARGUMENT),
                          ("-1", Code.INVALID_ARGUMENT)):
        refused(lambda: f.stub.ModelMetadata(
            f.pb.ModelMetadataRequest(name=MODEL, version=version)), code,
            "model_version")
    refused(lambda: f.stub.ModelMetadata(f.pb.ModelMetadataRequest(name="no")),
            Code.NOT_FOUND, "model_name")


def check_config(f):
    config = f.stub.ModelConfig(f.pb.ModelConfigRequest(name=MODEL)).config
    assert config.model_transaction_policy.decoupled
    assert (config.name, config.platform, config.backend,
            config.max_batch_size) == (MODEL, "mre", "mre", 256)
    assert [(i.name, i.data_type, list(i.dims)) for i in config.input] == [
        ("input", 2, [28, 28, 1])]
    # Shapes of the metadata without their first dimension.
    assert [(o.name, o.data_type, list(o.dims)) for o in config.output] == [
        ("probabilities", 11, [10]), ("class_index", 8, []),
        ("confidence", 11, []), ("step", 8, []), ("macs", 5, []),
        ("ray_coverage", 11, []), ("final", 1, [])]
    facts = {k: v.string_value for k, v in config.parameters.items()}
    assert facts == {"kind": "mre", "classes": "10", "max_steps": "32",
                     "macs_step_0": "53888", "macs_full": "336512"}, facts


def check_repository(f):
    pb, stub = f.pb, f.stub
    index = stub.RepositoryIndex(pb.RepositoryIndexRequest()).models
    names = [m.name for m in index]
    assert MODEL in names and names == sorted(names)
    assert all((m.version, m.state, m.reason) == ("1", "READY", "")
               for m in index)
    refused(lambda: stub.RepositoryIndex(
        pb.RepositoryIndexRequest(repository_name="other")),
        Code.INVALID_ARGUMENT, "repository_name")
    load = pb.RepositoryModelLoadRequest(model_name=MODEL)
    unload = pb.RepositoryModelUnloadRequest(model_name=MODEL)
    unload.parameters["unload_dependents"].bool_param = True
    for call, request in ((stub.RepositoryModelLoad, load),
                          (stub.RepositoryModelUnload, unload)):
        # inference_control_test.py has a token.
        refused(lambda: call(request), Code.PERMISSION_DENIED, "--token_file")


def check_unsupported(f):
    for name, word in (("SystemSharedMemoryStatus", "raw_input_contents"),
                       ("SystemSharedMemoryRegister", "raw_input_contents"),
                       ("SystemSharedMemoryUnregister", "raw_input_contents"),
                       ("CudaSharedMemoryStatus", "raw_input_contents"),
                       ("CudaSharedMemoryRegister", "raw_input_contents"),
                       ("CudaSharedMemoryUnregister", "raw_input_contents"),
                       ("TraceSetting", "ModelStatistics"),
                       ("LogSettings", "--help")):
        refused(lambda: getattr(f.stub, name)(f.pb.Unsupported()),
                Code.UNIMPLEMENTED, word)
    assert f.series("mre_requests_total", 'method="Unsupported"') == 8


def statistics(f):
    [stats] = f.stub.ModelStatistics(f.pb.ModelStatisticsRequest(
        name=MODEL, version="1")).model_stats
    return stats


def check_statistics(f):
    f.await_no_rows()
    before = statistics(f)
    start_ms = time.time() * 1000
    for steps in (2, 5):
        f.infer(images(3), parameters={"max_steps": steps})
    refused(lambda: f.infer(images(1), parameters={"max_steps": -1}),
            Code.INVALID_ARGUMENT)
    f.own.Predict(f.own_request(images(1), max_steps=2))
    f.await_no_rows()
    after = statistics(f)
    assert (after.name, after.version) == (MODEL, "1")
    assert start_ms - 1 <= after.last_inference <= time.time() * 1000 + 1, (
        start_ms, after.last_inference, time.time())
    assert after.inference_count - before.inference_count == 7
    passes = after.execution_count - before.execution_count
    assert 1 <= passes <= 7 * 6
    was, now = before.inference_stats, after.inference_stats

    def grown(name):
        a, b = getattr(was, name), getattr(now, name)
        assert (b.ns > a.ns) == (b.count > a.count), name
        return b.count - a.count

    assert grown("success") == 3 and grown("fail") == 1
    assert grown("queue") == 7 and grown("compute_infer") == 7
    assert grown("compute_input") == 2 and grown("compute_output") == 2
    counts = [after.response_stats[str(s)].success.count -
              before.response_stats[str(s)].success.count for s in range(8)]
    assert counts == [7, 7, 7, 3, 3, 3, 0, 0], counts
    shown = after.response_stats["5"]
    assert shown.compute_infer.count == shown.success.count
    means = [after.response_stats[str(s)].success.ns /
             after.response_stats[str(s)].success.count for s in (0, 2)]
    assert means[0] > 0
    assert sum(b.compute_infer.count for b in after.batch_stats) == \
        after.execution_count
    assert all(b.batch_size > 0 and b.compute_infer.ns > 0
               for b in after.batch_stats)

    everything = f.stub.ModelStatistics(f.pb.ModelStatisticsRequest())
    assert MODEL in [s.name for s in everything.model_stats]
    assert len(everything.model_stats) > 1
    refused(lambda: f.stub.ModelStatistics(
        f.pb.ModelStatisticsRequest(name="none")), Code.NOT_FOUND, "model_name")


def check_perf_analyzer(f):
    """Its calls in their order: -i grpc --async --streaming -b 2."""
    pb, stub = f.pb, f.stub
    server = stub.ServerMetadata(pb.ServerMetadataRequest())
    assert "statistics" in server.extensions
    metadata = stub.ModelMetadata(pb.ModelMetadataRequest(name=MODEL))
    config = stub.ModelConfig(pb.ModelConfigRequest(name=MODEL)).config
    assert config.model_transaction_policy.decoupled
    batch = min(2, config.max_batch_size)
    # With a batch it leaves out the first dimension of the metadata's shapes.
    [tensor] = metadata.inputs
    shape = [batch] + list(tensor.shape)[1:]
    assert list(config.input[0].dims) == shape[1:]
    before = statistics(f)
    stream, responses = f.stream()
    for i in range(10):
        stream.infer(f.request(
            images(batch, i), request_id=str(i),
            outputs=[o.name for o in metadata.outputs],
            parameters={"triton_enable_empty_final_response": True,
                        "max_steps": 4, "min_confidence": "0.99",
                        "sampled": False}))
    for _ in range(10):
        responses.until_final()
    stream.stop()
    after = statistics(f)
    assert (after.inference_stats.success.count -
            before.inference_stats.success.count) == 10
    assert after.inference_count - before.inference_count == 10 * batch


def check_metrics(f):
    for method in ("ModelInfer", "ModelStreamInfer"):
        assert f.series("mre_requests_total", f'method="{method}"',
                        f'model="{MODEL}"', 'code="OK"') > 0, method
    for method in ("ServerLive", "ServerReady", "ModelReady", "ServerMetadata",
                   "ModelMetadata", "ModelConfig", "ModelStatistics",
                   "RepositoryIndex"):
        assert f.series("mre_requests_total", f'method="{method}"',
                        'code="OK"') > 0, method
    for method in ("RepositoryModelLoad", "RepositoryModelUnload"):
        assert f.series("mre_requests_total", f'method="{method}"',
                        'code="PERMISSION_DENIED"') == 1, method


def check_damaged_version(stubs, binary, repository):
    """A version that was refused is listed with the reason, and not ready."""
    with tempfile.TemporaryDirectory() as root:
        shutil.copytree(f"{repository}/{MODEL}", f"{root}/{MODEL}")
        os.makedirs(f"{root}/broken/3")
        with open(f"{root}/broken/3/model.safetensors", "wb") as file:
            file.write(b"no model")
        server, target, metrics = start_server(binary, root)
        try:
            f = Fixture(stubs, target, metrics)
            pb, stub = f.pb, f.stub
            index = stub.RepositoryIndex(pb.RepositoryIndexRequest()).models
            assert [(m.name, m.version, m.state) for m in index] == [
                ("broken", "3", "UNAVAILABLE"), (MODEL, "1", "READY")]
            assert "safetensors" in index[0].reason, index[0].reason
            ready = stub.RepositoryIndex(
                pb.RepositoryIndexRequest(ready=True)).models
            assert [m.name for m in ready] == [MODEL]
            request = pb.ModelReadyRequest(name="broken")
            assert not stub.ModelReady(request).ready
            for call in (
                    lambda: stub.ModelConfig(pb.ModelConfigRequest(
                        name="broken")),
                    lambda: stub.ModelMetadata(pb.ModelMetadataRequest(
                        name="broken", version="3")),
                    lambda: stub.ModelStatistics(pb.ModelStatisticsRequest(
                        name="broken")),
                    lambda: stub.ModelInfer(make_request(pb, "broken",
                                                         images(1)))):
                refused(call, Code.UNAVAILABLE, "broken", "not ready")
            everything = stub.ModelStatistics(pb.ModelStatisticsRequest())
            assert [s.name for s in everything.model_stats] == [MODEL]
        finally:
            server.terminate()
            assert server.wait(60) == 0


if __name__ == "__main__":
    run([check_server, check_metadata, check_config, check_repository,
         check_unsupported, check_statistics, check_perf_analyzer,
         check_metrics],
        alone=[check_damaged_version])
