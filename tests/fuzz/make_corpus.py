#!/usr/bin/env python3
"""Writes the seed files under tests/fuzz/corpus/; the same files every time.

Usage: make_corpus.py [DIR]     (default: corpus/ beside this script)

A new fuzz target gets a function here that yields (file name, bytes).
"""

import gzip
import json
import math
import os
import struct
import sys
import zlib


def safetensors(header, data=b""):
    text = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + data


def config(width=2, layers=2, experts=2, hidden=3, context=2, classes=2,
           **more):
    return {
        "format": 1, "kind": "mre",
        "input": {"shape": [1, 2, 1], "scale": 0.5, "mean": [0.25],
                  "std": [0.5]},
        "stem": {"kind": "linear", "activation": "none"},
        "width": width, "layers": layers, "experts": experts,
        "expert": {"kind": "mlp", "hidden": hidden},
        "router": {"context": context, "sharing": 1},
        "classes": [f"c{i}" for i in range(classes)],
        "training": {"note": "made for fuzzing"}, **more
    }


def stack(kind, **more):
    """The config of a stack of layers; an mlp and a cnn have no router."""
    c = config(**more) | {"kind": kind}
    if kind in ("mlp", "cnn"):
        del c["router"]
        c["experts"] = 1
    else:
        c["router"] = {"top_k": 2 if kind == "adak" else 1,
                       "sharing": 2 if kind == "pathmoe" else 1}
    return with_conv(c) if kind == "cnn" else c


def raytracing(**more):
    """Two modules of 2 units, two layers of one block of 3 units."""
    c = config(experts=1, **more) | {"kind": "raytracing"}
    del c["router"], c["stem"]
    c["expert"] = {"kind": "block", "hidden": c["expert"]["hidden"]}
    c["raytracing"] = {"modules": 2, "sparsity": 0.5, "input": "raw",
                       "gain": 3.0, "theta_out": 0.25, "decay": 0.5,
                       "max_steps": 8, "seed": 0}
    return c


def with_conv(c):
    return c | {
        "input": c["input"] | {"shape": [3, 2, 1]},
        "stem": {"kind": "patch", "activation": "none", "size": 2,
                 "stride": 1, "padding": 1},
        "expert": c["expert"] | {"kind": "conv"}}


def with_front(c):
    return with_conv(c) | {
        "stem": with_conv(c)["stem"] | {
            "layers": [{"channels": 2, "size": 3, "stride": 1, "padding": 1},
                       {"channels": 3, "size": 1, "stride": 1, "padding": 0}]}}


def with_text(c):
    return c | {
        "input": {"shape": [1, 3, 1], "scale": 1, "mean": [0], "std": [1]},
        "stem": {"kind": "embedding", "vocabulary": 256, "dimension": 2,
                 "activation": "relu"}}
def raytracing_shapes(c, wires):
    """wires: how many end in each layer's one block, and in the output."""
    h, w, channels = c["input"]["shape"]
    seen = max(1, int(c["raytracing"]["sparsity"] * h * w * channels))
    for m in range(c["raytracing"]["modules"]):
        yield f"modules.{m}.weight", [c["width"], seen]
        yield f"modules.{m}.bias", [c["width"]]
    for l in range(c["layers"]):
        block = f"layers.{l}.experts.0"
        yield block + ".weight", [c["expert"]["hidden"], wires[l]]
        yield block + ".bias", [c["expert"]["hidden"]]
    yield "head.weight", [len(c["classes"]), wires[-1]]
    yield "head.bias", [len(c["classes"])]


def shapes(c):
    d, m, n = c["width"], c["expert"]["hidden"], c["experts"]
    h, w, channels = c["input"]["shape"]
    classes = len(c["classes"])
    stem, up, features, out = [h * w * channels], [d], d, [d]
    if c["expert"]["kind"] == "conv":
        for i, layer in enumerate(c["stem"].get("layers", [])):
            size, stride, pad = (layer[k] for k in ("size", "stride",
                                                    "padding"))
            yield f"stem.layers.{i}.weight", [layer["channels"], size, size,
                                              channels]
            channels = layer["channels"]
            yield f"stem.layers.{i}.bias", [channels]
            h, w = ((side + 2 * pad - size) // stride + 1 for side in (h, w))
        size, stride, pad = (c["stem"][k] for k in ("size", "stride",
                                                    "padding"))
        stem, up, features = [size, size, channels], [3, 3, d], 10 * d
        out = [(h + 2 * pad - size) // stride + 1,
               (w + 2 * pad - size) // stride + 1, d]
    if c["stem"]["kind"] == "embedding":
        dimension = c["stem"]["dimension"]
        yield "stem.embedding", [256, dimension]
        stem = [w * dimension]
    yield "stem.weight", [d, *stem]
    yield "stem.bias", [d]
    if c["kind"] == "mre":
        r = c["router"]["context"]
        yield "router.context.weight", [r, features]
        yield "router.context.bias", [r]
        for g in range(-(-c["layers"] // c["router"]["sharing"])):
            yield f"router.{g}.gate.weight", [n, r]
            yield f"router.{g}.gate.bias", [n]
        for l in range(1, c["layers"]):
            yield f"router.{l}.transition", [n, n]
    elif "router" in c:
        for g in range(-(-c["layers"] // c["router"]["sharing"])):
            yield f"router.{g}.gate.weight", [n, features]
            yield f"router.{g}.gate.bias", [n]
            if c["kind"] == "adak":
                k = c["router"]["top_k"]
                yield f"router.{g}.allocator.weight", [k, features]
                yield f"router.{g}.allocator.bias", [k]
    for l in range(c["layers"]):
        yield f"layers.{l}.norm.weight", [d]
        yield f"layers.{l}.norm.bias", [d]
        for i in range(n):
            expert = f"layers.{l}.experts.{i}"
            yield expert + ".up.weight", [m, *up]
            yield expert + ".up.bias", [m]
            yield expert + ".down.weight", [d, m]
            yield expert + ".down.bias", [d]
    yield "head.norm.weight", [d]
    yield "head.norm.bias", [d]
    yield "head.weight", [classes, *out]
    yield "head.bias", [classes]


def checkpoint(c, bf16=False, names=None):
    """names: (name, shape) of each tensor; None: shapes(c)."""
    header = {"__metadata__": {"mre.config": json.dumps(c)}}
    data = b""
    for name, shape in names or shapes(c):
        count = 1
        for dim in shape:
            count *= dim
        begin = len(data)
        for i in range(count):
            value = ((len(data) * 7 + i * 13) % 64 - 31) / 32
            raw = struct.pack("<f", value)
            data += raw[2:] if bf16 else raw
        header[name] = {"dtype": "BF16" if bf16 else "F32", "shape": shape,
                        "data_offsets": [begin, len(data)]}
    return safetensors(header, data)


def tensor(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def safetensors_fuzz():
    yield "empty", safetensors({})
    yield "metadata", safetensors({"__metadata__": {"a": "b"}})
    yield "one", safetensors({"a": tensor("F32", [2, 1], 0, 8)}, b"12345678")
    yield "two", safetensors({"b": tensor("BF16", [2], 1, 5),
                              "a": tensor("U8", [], 0, 1)}, b"12345")
    yield "no_elements", safetensors({"a": tensor("F64", [3, 0], 0, 0)})
    yield "overlap", safetensors({"a": tensor("U8", [2], 0, 2),
                                  "b": tensor("U8", [2], 1, 3)}, b"123")
    yield "huge", safetensors({"a": tensor("F32", [2**32, 2**32], 0, 4)},
                              b"1234")
    yield "long_header", struct.pack("<Q", 2**63) + b"{}"
    yield "nested", safetensors({"a": [[[[[[1]]]]]]})


def checkpoint_fuzz():
    yield "f32", checkpoint(config())
    yield "bf16", checkpoint(config(), bf16=True)
    yield "smallest", checkpoint(config(1, 1, 1, 1, 1, 1))
    yield "relu", checkpoint(
        config(stem={"kind": "linear", "activation": "relu"}))
    for kind in ("topk", "pathmoe", "adak", "mlp", "cnn"):
        yield kind, checkpoint(stack(kind))
    yield "shared", checkpoint(config(router={"context": 2, "sharing": 2}))
    rays = raytracing()
    # As the wiring of this seed has them (model/net/wiring.h).
    yield "raytracing", checkpoint(
        rays, names=raytracing_shapes(rays, [2, 3, 5]))
    yield "conv", checkpoint(with_conv(config()))
    yield "front", checkpoint(with_front(config()))
    yield "topk_conv", checkpoint(with_conv(stack("topk")))
    yield "text", checkpoint(with_text(config()))
    yield "topk_text", checkpoint(with_text(stack("topk")), bf16=True)
    yield "too_wide", checkpoint(config()).replace(
        b'\\"width\\": 2', b'\\"width\\": 9')


def config_fuzz():
    yield "small", json.dumps(config()).encode()
    yield "shipped", json.dumps(config(64, 4, 8, 64, 32, 10)).encode()
    yield "pathmoe", json.dumps(stack("pathmoe")).encode()
    yield "front", json.dumps(with_front(config())).encode()
    yield "adak", json.dumps(stack("adak")).encode()
    yield "cnn", json.dumps(stack("cnn")).encode()
    yield "raytracing", json.dumps(raytracing()).encode()
    yield "mlp_conv", json.dumps(with_conv(stack("mlp"))).encode()
    yield "text", json.dumps(with_text(stack("topk"))).encode()
    yield "text_conv", json.dumps(
        with_conv(config()) | {"stem": with_text(config())["stem"]}).encode()
    yield "later_format", json.dumps(config(format=2)).encode()
    yield "escapes", json.dumps(config(classes=0) | {
        "classes": ["\u00e9\"\\\n", "\U0001f600"],
        "training": {"a": [1e-300, -0.0, None, True, {"b": []}]}
    }).encode()
    yield "not_json", b'{"format":1,'


def idx(dims, data):
    return (bytes([0, 0, 8, len(dims)])
            + b"".join(struct.pack(">I", d) for d in dims) + data)


def idx_fuzz():
    yield "labels", idx([3], b"\x00\x01\x02")
    yield "images", idx([2, 2, 2], bytes(8))
    yield "gzipped", gzip.compress(idx([2, 2, 2], bytes(8)), mtime=0)
    yield "truncated", idx([2, 2, 2], bytes(7))
    yield "huge", idx([2**32 - 1] * 3, b"x")
    yield "bomb", gzip.compress(bytes(1 << 17), mtime=0)


def cifar10_fuzz():
    record = b"\x03" + bytes(range(256)) * 12
    yield "one", record
    yield "two", record + b"\x09" + bytes(3072)
    yield "label", b"\x0a" + bytes(3072)
    yield "truncated", record[:3000]
    yield "names", b"a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n"


def usps_fuzz():
    yield "short", b"9" + b" -1" * 128 + b" 1" * 128 + b"\n"
    yield "long", b"6.0000" + b" -0.6310" * 256 + b" \n"
    yield "two", (b"0" + b" 0" * 256 + b"\n") * 2
    yield "range", b"5" + b" 1.5" * 256
    yield "nan", b"5" + b" nan" * 256
    yield "too_few", b"5 0.125 -0.25\n"
    yield "too_many", b"5" + b" 0" * 257


def text_windows_fuzz():
    # The first byte says how long the window is.
    yield "line", b"\x04to be, or not to be\n"
    yield "bytes", b"\x00" + bytes(range(256))
    yield "short", b"\x03abcd"
    yield "smallest", b"\x03abcdef"
    yield "one_class", b"\x07" + b"a" * 40


def png(height, width, colour, samples):
    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data
                + struct.pack(">I", zlib.crc32(kind + data)))
    rows = b"".join(b"\x00" + bytes(width * samples) for _ in range(height))
    return (b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour,
                                         0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def png_fuzz():
    yield "grey", b"\x11\x00" + png(2, 2, 0, 1)
    yield "rgb", b"\x11\x01" + png(2, 2, 2, 3)
    yield "rgba", b"\x21\x01" + png(2, 3, 6, 4)
    yield "truncated", b"\x11\x00" + png(2, 2, 0, 1)[:40]


def field(number, wire, value):
    """One field of a protobuf message."""
    key = bytes([number << 3 | wire])
    return key + (bytes([len(value)]) if wire == 2 else b"") + value


def request_fuzz():
    uint8 = field(1, 0, b"\x01")
    fp32 = field(1, 0, b"\x02")
    shape = field(2, 2, b"\x02\x02\x01")
    rows = field(2, 2, b"\x02\x02\x02\x01")
    name = field(1, 2, b"m")
    yield "bytes", name + field(3, 2, uint8 + shape + field(3, 2, b"abcd"))
    yield "rows", name + field(3, 2, uint8 + rows + field(3, 2, b"abcdefgh"))
    yield "floats", name + field(3, 2, fp32 + shape + field(3, 2, bytes(16)))
    yield "nan", name + field(
        3, 2, fp32 + shape + field(3, 2, b"\x00\x00\xc0\x7f" * 4))
    budget = (field(1, 0, b"\x03") + field(2, 0, b"\x64")
              + field(3, 2, b"\x10\x05") + field(4, 5, struct.pack("<f", 0.9))
              + field(5, 5, struct.pack("<f", 0.5)) + field(6, 0, b"\x02"))
    thresholds = (field(7, 5, struct.pack("<f", 0.25))
                  + field(8, 5, struct.pack("<f", 0.5)))
    yield "thresholds", (name
                         + field(3, 2, uint8 + shape + field(3, 2, b"abcd"))
                         + field(4, 2, thresholds))
    yield "budget", (name
                     + field(3, 2, uint8 + shape + field(3, 2, b"abcd"))
                     + field(4, 2, budget) + field(6, 2, b"\x08\x01\x10\x07")
                     + field(7, 2, b"\x08\x02\x10\x01\x18\x03\x20\x02"))


def infer_request_fuzz():
    def text(number, value):
        return field(number, 2, value)

    def tensor(datatype, shape, more=b""):
        return field(5, 2, text(1, b"input") + text(2, datatype)
                     + field(3, 2, shape) + more)

    def parameter(name, value):
        return field(4, 2, text(1, name) + field(2, 2, value))

    one, three = b"\x01\x02\x02\x01", b"\x03\x02\x02\x01"
    named = text(1, b"m") + text(3, b"id")
    raw = named + tensor(b"UINT8", one) + text(7, b"abcd")
    yield "raw", raw
    yield "rows", named + tensor(b"UINT8", three) + text(7, b"abcdefghijkl")
    yield "floats", named + tensor(b"FP32", one) + text(7, bytes(16))
    yield "nan", named + tensor(b"FP32", one) + text(7, b"\0\0\xc0\x7f" * 4)
    typed = field(5, 2, field(4, 2, b"\x01\x02\x03\x04"))
    yield "typed_bytes", named + tensor(b"UINT8", one, typed)
    yield "typed_floats", named + tensor(
        b"FP32", one, field(5, 2, field(6, 2, struct.pack("<4f", 1, 2, 3, 4))))
    yield "mixed", named + tensor(b"UINT8", one, typed) + text(7, b"abcd")
    yield "outputs", (raw + field(6, 2, text(1, b"step"))
                      + field(6, 2, text(1, b"probabilities"))
                      + field(6, 2, text(1, b"final")))
    yield "integers", (raw + parameter(b"max_steps", b"\x10\x03")
                       + parameter(b"max_macs", b"\x28\xc0\x84\x3d")
                       + parameter(b"timeout", b"\x10\x64")
                       + parameter(b"priority", b"\x28\x01"))
    yield "strings", (raw + parameter(b"max_steps", text(3, b"3"))
                      + parameter(b"min_confidence", text(3, b"0.5"))
                      + parameter(b"sampled", text(3, b"true"))
                      + parameter(b"seed", text(3, b"7")))
    yield "numbers", (
        raw + parameter(b"min_confidence", field(4, 1, struct.pack("<d", 0.9)))
        + parameter(b"theta_out", field(4, 1, struct.pack("<d", 0.25)))
        + parameter(b"stable_steps", field(4, 1, struct.pack("<d", 2))))
    yield "flags", (
        raw + parameter(b"triton_enable_empty_final_response", b"\x08\x01")
        + parameter(b"sequence_id", b"\x10\x00"))


def plan_fuzz():
    runs = [{"name": "a", "recipe": {"kind": "mre", "lr": 0.01}},
            {"name": "b", "recipe": {"kind": "topk", "top_k": 2}}]
    plan = {"name": "p", "title": "t", "defaults": {"dataset": "mnist"},
            "runs": runs, "seeds": [0, 7], "targets": [0.5],
            "pairs": [{"baseline": "b", "against": ["a"]}],
            "evaluation": {"router_noise": 0.5, "min_confidence": 0.9,
                           "reference": "b"}}
    yield "whole", json.dumps(plan).encode()
    yield "least", json.dumps({
        "name": "p", "seeds": [0],
        "runs": [{"name": "a", "recipe": {"dataset": "usps"}}]}).encode()
    yield "twice", json.dumps(plan | {"runs": runs + runs}).encode()
    yield "unknown", json.dumps(plan | {"more": 1}).encode()
    yield "huge", json.dumps(plan | {"seeds": [2**64 - 1, -1, 1e300]}).encode()
    yield "not_json", b'{"name":'
    yield "deep", (b'{"name":"p","seeds":[0],"runs":[{"name":"a","recipe":'
                   b'{"dataset":"usps","lr":' + b"[" * 70 + b"]" * 70
                   + b"}}]}")


def run_result_fuzz():
    quality = {"steps": 1, "macs": 2, "accuracy": 0.5, "loss": 0.1}
    step = quality | {"parameters": 3, "coverage": 0, "confidence": 0.5}
    result = {
        "format": 1, "run": "a", "seed": 0, "recipe": {"kind": "mre"},
        "data": "0", "parameters": 9, "seconds": 1.5,
        "evaluation_seconds": 0.5, "peak_memory_bytes": 1,
        "epochs": [{"epoch": 1, "loss": 1, "accuracy": [0.5, 0.25],
                    "least_use": 0, "seconds": 1}],
        "evaluation": {
            "inputs": 4, "steps": [step, step], "expert_use": [0, 1],
            "early_expert_use": [0, 1],
            "curve": [quality | {"min_confidence": 0.5}],
            "paths": {"length": 2, "distinct": 1, "entropy_bits": 0,
                      "mutual_information_bits": [0],
                      "normalised_information": [0]},
            "robustness": {"router_noise": 0.5, "accuracy": [1], "loss": [0]},
            "stop": quality | {"min_confidence": 0.9}}}
    yield "whole", json.dumps(result).encode()
    for name, value in (("no_epochs", {"epochs": []}),
                        ("no_evaluation", {"evaluation": {}}),
                        ("later_format", {"format": 2})):
        yield name, json.dumps(result | value).encode()


def state(recipe, tensors, step=3):
    """tensors: names, each as long as the model's parameters."""
    c = config()
    total = sum(math.prod(shape) for _, shape in shapes(c))
    counters = {"format": 2, "step": step, "log_loss": 0.5, "log_steps": 1,
                "epoch_loss": 1.5}
    header = {"__metadata__": {
        "mre.train.state": json.dumps(counters),
        "mre.train.recipe": json.dumps({"dataset": "mnist"} | recipe),
        "mre.train.data": "00ff", "mre.config": json.dumps(c)}}
    for i, name in enumerate(tensors):
        header[name] = tensor("F32", [total], 4 * total * i,
                              4 * total * (i + 1))
    return safetensors(header, bytes(4 * total * len(tensors)))


def state_fuzz():
    moments = ["params", "adam.first", "adam.second"]
    yield "whole", state({"kind": "mre"}, moments)
    yield "average", state({"ema": 0.5}, moments + ["average"])
    yield "no_average", state({"ema": 0.5}, moments)
    yield "no_shared", state({"shared_lr": 1}, moments)
    yield "step", state({}, moments, step=2**63)
    yield "checkpoint", checkpoint(config())


def log_fuzz():
    # The first byte is the step of the state.
    lines = [{"step": 0, "event": "start", "recipe": {"kind": "mre"}},
             {"step": 5, "event": "train", "loss": 1.5, "seconds": 0.5},
             {"step": 9, "event": "epoch", "epoch": 1, "loss": 1,
              "accuracy": [0.5, 0.25], "least_use": 0, "seconds": 1.5}]
    log = "".join(json.dumps(line) + "\n" for line in lines).encode()
    yield "whole", b"\x09" + log
    yield "earlier", b"\x05" + log
    yield "torn", b"\x09" + log[:-9]
    yield "no_log", b"\x00dear diary\nit rains\n"
    yield "deep", b"\x00" + b"[" * 70 + b"]" * 70 + b"\n"


def server_config_fuzz():
    yield "whole", b"""// A comment.
{"model_repository": "m", "threads": 2, "max_queue_ms": 0.5, "brownout": true,
 "load_model": ["a", "b"], /* and */ "models": {
   "a": {"versions": "latest:2", "labels": {"stable": 3, "canary": 4}},
   "b": {"versions": [1, 3]}, "c": {"versions": "all"}}}"""
    yield "twice", b'{"host": "a", "host": "b"}'
    yield "deep", b'{"a": ' + b"[" * 9 + b"]" * 9 + b"}"
    yield "wrong", b"""{"host": null, "grpc_port": {}, "models": {
        "../a": {}, "a": {"versions": [0], "labels": {"1": 1, "x": 0}}}}"""
    yield "controls", b'{"host": "a\\u0000b", "\\n": 1}'
    yield "not_json", b"threads=2\n"


def log_line_fuzz():
    yield "text", b"loaded a=b \"c\"\\\n\x00\x7f"
    yield "utf8", "\u00e9\u20ac\U0001f600".encode()
    yield "no_utf8", b"\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80\xff\xc3"
    yield "traceparent", (b"00-4bf92f3577b34da6a3ce929d0e0e4736-"
                          b"00f067aa0ba902b7-01")
    yield "later", b"cc-" + b"1" * 32 + b"-" + b"2" * 16 + b"-00-more"


def tokens_fuzz():
    # tokens_fuzz.cc looks for "s3cret" in what is said of a file.
    phone = {"name": "phone", "token": "s3cret-0123456789",
             "scopes": ["infer"], "requests_per_second": 2.5, "burst": 3}
    boss = {"name": "boss", "sha256": "0a" * 32, "scopes": ["admin", "infer"]}

    def text(*tokens, **more):
        return json.dumps({"tokens": tokens} | more).encode()

    yield "whole", text(phone, boss)
    yield "least", text(boss)
    yield "none", text()
    yield "twice", text(phone, phone)
    yield "same_token", text(phone, phone | {"name": "other"})
    yield "short", text(phone | {"token": "s3cret"})
    yield "both", text(phone | {"sha256": "0a" * 32})
    yield "unknown", text(phone | {"s3cret": 1})
    yield "misplaced", b'{"s3cret-0123456789": ["infer"]}'
    yield "as_scope", text(phone | {"scopes": ["s3cret"]})
    yield "rate", text(phone | {"requests_per_second": 1e300, "burst": -1})
    yield "not_json", b'{"tokens": [{"token": "s3cret'
    yield "deep", b'{"tokens":' + b"[" * 70 + b"]" * 70 + b"}"


TARGETS = [checkpoint_fuzz, cifar10_fuzz, config_fuzz, idx_fuzz,
           infer_request_fuzz, log_fuzz, log_line_fuzz, plan_fuzz, png_fuzz,
           request_fuzz, run_result_fuzz, safetensors_fuzz, server_config_fuzz,
           state_fuzz, text_windows_fuzz, tokens_fuzz, usps_fuzz]


def main():
    root = (sys.argv[1] if len(sys.argv) > 1 else os.path.join(
        os.path.dirname(os.path.abspath(__file__)), "corpus"))
    for target in TARGETS:
        directory = os.path.join(root, target.__name__)
        os.makedirs(directory, exist_ok=True)
        for name, content in target():
            with open(os.path.join(directory, name), "wb") as file:
                file.write(content)


if __name__ == "__main__":
    main()
