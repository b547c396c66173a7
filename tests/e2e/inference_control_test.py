#!/usr/bin/python3
"""Models are loaded and unloaded by calls that only some may make.

A real mre-server with --model_control_mode=explicit, its calls made as a Triton
client makes them, with a token.
"""
import argparse
import json
import os
import shutil
import tempfile
import threading
import time

from inference_client import (MODEL, Code, Fixture, images, make_stubs,
                              refused)
from server_process import small_repository, start_server

ADMIN, INFER = "admin-0123456789abcdef", "infer-0123456789abcdef"


def bearer(token):
    return (("authorization", f"Bearer {token}"),)


class Control:
    def __init__(self, stubs, target, metrics):
        self.f = Fixture(stubs, target, metrics)
        self.pb, self.stub = self.f.pb, self.f.stub

    def load(self, name, token=ADMIN, **parameters):
        request = self.pb.RepositoryModelLoadRequest(model_name=name)
        for key, value in parameters.items():
            request.parameters[key].string_param = value
        return self.stub.RepositoryModelLoad(request, metadata=bearer(token))

    def unload(self, name, token=ADMIN):
        request = self.pb.RepositoryModelUnloadRequest(model_name=name)
        request.parameters["unload_dependents"].bool_param = False
        return self.stub.RepositoryModelUnload(request, metadata=bearer(token))

    def index(self):
        answer = self.stub.RepositoryIndex(self.pb.RepositoryIndexRequest(),
                                           metadata=bearer(INFER))
        return {(m.name, m.version): (m.state, m.reason) for m in answer.models}

    def infer(self, model, version=""):
        request = self.f.request(images(1))
        request.model_name, request.model_version = model, version
        return self.stub.ModelInfer(request, metadata=bearer(INFER))


def check_who_may(c):
    for call in (c.load, c.unload):
        refused(lambda: call(MODEL, token=INFER), Code.PERMISSION_DENIED,
                "admin")
        refused(lambda: call(MODEL, token="wrong-0123456789abcdef"),
                Code.UNAUTHENTICATED)
    refused(lambda: c.stub.RepositoryModelLoad(
        c.pb.RepositoryModelLoadRequest(model_name=MODEL)),
        Code.UNAUTHENTICATED)
    # Who may load may not ask.
    refused(lambda: c.stub.ModelInfer(c.f.request(images(1)),
                                      metadata=bearer(ADMIN)),
            Code.PERMISSION_DENIED, "infer")


def check_bad_requests(c):
    refused(lambda: c.load("none"), Code.NOT_FOUND, '"none"')
    refused(lambda: c.unload("none"), Code.NOT_FOUND, "not loaded")
    for name in ("../" + MODEL, "a/b", ".", ""):
        refused(lambda: c.load(name), Code.INVALID_ARGUMENT, "model_name")
    refused(lambda: c.load(MODEL, config="{}"), Code.INVALID_ARGUMENT,
            'parameters["config"]')
    refused(lambda: c.load(MODEL, **{"file:1/model": "x"}),
            Code.INVALID_ARGUMENT, 'parameters["file:1/model"]')


def check_load_and_unload(c, repository):
    assert c.index() == {(MODEL, "1"): ("UNAVAILABLE", "not loaded"),
                         ("other", "1"): ("READY", "")}
    refused(lambda: c.infer(MODEL), Code.NOT_FOUND, "other")
    c.load(MODEL)
    assert c.index()[MODEL, "1"] == ("READY", "")
    assert c.infer(MODEL).model_version == "1"
    # The configuration's label.
    assert c.infer(MODEL, "stable").model_version == "1"

    # A damaged version leaves the one before it, and says why.
    damaged = os.path.join(repository, MODEL, "2")
    os.makedirs(damaged)
    with open(os.path.join(damaged, "model.safetensors"), "wb") as file:
        file.write(b"damaged")
    refused(lambda: c.load(MODEL), Code.INVALID_ARGUMENT, "2/model.safetensors")
    assert c.index()[MODEL, "1"] == ("READY", "")
    state, reason = c.index()[MODEL, "2"]
    assert state == "UNAVAILABLE" and "2/model.safetensors" in reason
    assert c.infer(MODEL).model_version == "1"
    assert c.f.series("mre_model_loads_total", 'result="refused"') == 1
    # Mended, it takes its place.
    shutil.copy(os.path.join(repository, MODEL, "1", "model.safetensors"),
                damaged)
    c.load(MODEL)
    assert c.infer(MODEL).model_version == "2"

    c.unload(MODEL)
    refused(lambda: c.infer(MODEL), Code.NOT_FOUND)
    # Once its last row has ended.
    deadline = time.monotonic() + 60
    while c.index()[MODEL, "2"][0] == "UNLOADING":
        assert time.monotonic() < deadline
    assert c.index()[MODEL, "2"] == ("UNAVAILABLE", "not loaded")
    assert c.infer("other").model_version == "1"


def check_load_while_asked(c):
    """Two hundred loads and unloads of one model; nobody of another fails."""
    wrong, ended = [], threading.Event()

    def ask():
        while not ended.is_set():
            try:
                c.infer("other")
            except Exception as error:  # whatever it is
                wrong.append(error)
                return
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(100):
        c.load(MODEL)
        c.infer(MODEL)
        c.unload(MODEL)
    ended.set()
    for thread in threads:
        thread.join()
    assert not wrong, wrong


def check_ends_while_loading(stubs, binary, repository, config):
    """SIGTERM does not wait for the loads that wait; each is answered."""
    server, target, metrics = start_server(binary, repository,
                                           [f"--config={config}"])
    try:
        c = Control(stubs, target, metrics)
        request = c.pb.RepositoryModelLoadRequest(model_name=MODEL)
        calls = []
        for _ in range(500):
            # Else the next one would have nothing to do.
            unload = c.pb.RepositoryModelUnloadRequest(model_name=MODEL)
            for call, message in (
                    (c.stub.RepositoryModelLoad, request),
                    (c.stub.RepositoryModelUnload, unload)):
                calls.append(call.future(message, metadata=bearer(ADMIN)))
        calls[0].result()
        server.terminate()
        assert server.wait(60) == 0
        codes = {call.code() for call in calls}
        assert Code.UNAVAILABLE in codes, codes
        # Not found: an unload that overtook its load.
        assert codes <= {Code.OK, Code.UNAVAILABLE, Code.NOT_FOUND}, codes
    finally:
        server.kill()
        server.wait(60)


def check_not_explicit(c):
    """Whoever may load models is told what lets them."""
    for call in (c.load, c.unload):
        refused(lambda: call(MODEL), Code.UNAVAILABLE,
                "--model_control_mode=explicit")
        refused(lambda: call(MODEL, token=INFER), Code.PERMISSION_DENIED)
    assert c.infer(MODEL).model_version == "1"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--source", required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        stubs = make_stubs(args.source, root)
        repository = os.path.join(root, "models")
        for name in (MODEL, "other"):
            shutil.copytree(f"{args.source}/model/zoo/{MODEL}/1",
                            f"{repository}/{name}/1")
        tokens = os.path.join(root, "tokens.json")
        with open(tokens, "w", encoding="utf-8") as file:
            json.dump({"tokens": [
                {"name": "boss", "token": ADMIN, "scopes": ["admin"]},
                {"name": "phone", "token": INFER, "scopes": ["infer"]}]}, file)
        os.chmod(tokens, 0o600)
        config = os.path.join(root, "config.json")
        with open(config, "w", encoding="utf-8") as file:
            json.dump({"model_control_mode": "explicit", "load_model": ["other"],
                       "token_file": tokens,
                       "models": {MODEL: {"labels": {"stable": 1},
                                          "versions": "latest"}}}, file)
        server, target, metrics = start_server(args.server, repository,
                                               [f"--config={config}"])
        try:
            c = Control(stubs, target, metrics)
            check_who_may(c)
            check_bad_requests(c)
            check_load_and_unload(c, repository)
            check_load_while_asked(c)
            c.f.await_no_rows()
        finally:
            server.terminate()
            code = server.wait(60)
        assert code == 0, f"the server ended with {code}"
        check_ends_while_loading(stubs, args.server, repository, config)
        repository = small_repository(args.source, os.path.join(root, "small"))
        for mode in ("none", "poll"):
            server, target, metrics = start_server(
                args.server, repository,
                [f"--token_file={tokens}", f"--model_control_mode={mode}"])
            try:
                check_not_explicit(Control(stubs, target, metrics))
            finally:
                server.terminate()
                code = server.wait(60)
            assert code == 0, f"the server ended with {code}"
    print("6 passed, 0 failed")


main()
