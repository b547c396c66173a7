"""An MRE network's forward pass in numpy, from its checkpoint file alone.

Written from the description of the format and of the model (model/README.md),
in float64, and sharing nothing with the C++ code: what the two agree on, both
understood the same way.

  model = Checkpoint("model.safetensors")
  result = forward(model, pixels)  # [rows, 784], raw values
"""

import json
import struct

import numpy as np


class Checkpoint:
    """The config and the tensors (as float64) of a safetensors file."""

    def __init__(self, path):
        with open(path, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length))
            data = file.read()
        self.config = json.loads(header.pop("__metadata__")["mre.config"])
        self.tensors = {}
        for name, entry in header.items():
            begin, end = entry["data_offsets"]
            raw = data[begin:end]
            if entry["dtype"] == "F32":
                values = np.frombuffer(raw, "<f4")
            elif entry["dtype"] == "BF16":
                high = np.frombuffer(raw, "<u2").astype("<u4")
                values = (high << 16).view("<f4")
            else:
                raise ValueError(f"{name}: {entry['dtype']}")
            self.tensors[name] = values.reshape(entry["shape"]).astype(
                np.float64)

    def linear(self, name, x):
        """x W^T + b."""
        return x @ self.tensors[name + ".weight"].T + self.tensors[
            name + ".bias"]

    def layer_norm(self, name, x):
        centred = x - x.mean(axis=-1, keepdims=True)
        variance = (centred**2).mean(axis=-1, keepdims=True)
        return (centred / np.sqrt(variance + 1e-5) *
                self.tensors[name + ".weight"] + self.tensors[name + ".bias"])


class Result:
    """What every step shows; T = L * N steps follow step 0.

    probabilities [rows, T+1, classes], coverage [rows, T+1], experts [rows, T]
    (l * N + i), gaps [rows, T]: how far the chosen expert's rate is above the
    second best, relative to it (1 if there is only one candidate).
    """

    def __init__(self, rows, steps, classes):
        self.probabilities = np.zeros((rows, steps + 1, classes))
        self.coverage = np.zeros((rows, steps + 1))
        self.experts = np.zeros((rows, steps), np.int64)
        self.gaps = np.ones((rows, steps))


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def routing(model, h):
    """p [rows, N] and T_1.. [rows, N, N]."""
    layers = model.config["layers"]
    sharing = model.config["router"]["sharing"]
    u = np.tanh(model.linear("router.context", h))
    entry = softmax(model.linear("router.0.gate", u))
    transitions = []
    for l in range(1, layers):
        gate = model.linear(f"router.{l // sharing}.gate", u)
        transitions.append(
            softmax(gate[:, None, :] +
                    model.tensors[f"router.{l}.transition"][None]))
    return entry, transitions


def trace_rays(entry, transitions, active):
    """Mass resting on each inactive expert [rows, L, N], and coverage [rows]."""
    layers = active.shape[1]
    rates = np.zeros(active.shape)
    flow = entry
    for l in range(layers):
        rates[:, l] = flow * ~active[:, l]
        passing = flow * active[:, l]
        if l + 1 < layers:
            flow = np.einsum("rj,rji->ri", passing, transitions[l])
    return rates, passing.sum(axis=1)


def candidates(active):
    """Inactive experts of layer 0, or with an active one in the layer below."""
    reachable = np.ones(active.shape, bool)
    reachable[:, 1:] = active[:, :-1].any(axis=2, keepdims=True)
    return reachable & ~active


def forward(model, pixels):
    """Runs all experts of every row in greedy order."""
    config = model.config
    layers, experts = config["layers"], config["experts"]
    channels = config["input"]["shape"][-1]
    rows = len(pixels)
    scaled = pixels.astype(np.float64) * config["input"]["scale"]
    x = ((scaled.reshape(rows, -1, channels) - config["input"]["mean"]) /
         config["input"]["std"]).reshape(rows, -1)
    h = model.linear("stem", x)
    if config["stem"]["activation"] == "relu":
        h = np.maximum(h, 0)
    entry, transitions = routing(model, h)
    streams = np.repeat(h[:, None], layers + 1, axis=1)
    active = np.zeros((rows, layers, experts), bool)
    steps = layers * experts
    result = Result(rows, steps, len(config["classes"]))

    for t in range(steps + 1):
        result.probabilities[:, t] = softmax(
            model.linear("head", model.layer_norm("head.norm", streams[:, -1])))
        rates, result.coverage[:, t] = trace_rays(entry, transitions, active)
        if t == steps:
            return result
        # argmax takes the first of equals: lowest layer, then lowest index.
        scores = np.where(candidates(active), rates, -1.0).reshape(rows, steps)
        chosen = scores.argmax(axis=1)
        if t + 1 < steps:
            two = np.sort(scores, axis=1)[:, -2:]
            second = np.maximum(two[:, 0], 0) * (two[:, 0] >= 0)
            only = two[:, 0] < 0
            with np.errstate(invalid="ignore", divide="ignore"):
                gap = np.where(two[:, 1] > 0, 1 - second / two[:, 1], 0.0)
            result.gaps[:, t] = np.where(only, 1.0, gap)
        result.experts[:, t] = chosen
        for e in np.unique(chosen):
            l, i = divmod(int(e), experts)
            those = np.flatnonzero(chosen == e)
            name = f"layers.{l}.experts.{i}"
            read = model.layer_norm(f"layers.{l}.norm", streams[those, l])
            y = model.linear(name + ".down",
                             np.maximum(model.linear(name + ".up", read), 0))
            for k in range(l + 1, layers + 1):
                streams[those, k] += y
            active[those, l, i] = True
    raise AssertionError("not reached")
