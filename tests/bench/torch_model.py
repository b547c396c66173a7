"""An mre in eager PyTorch: what one writes from the equations in model/README.md.

  model = Mre("model/zoo/fashion-mnist/1/model.safetensors")
  probabilities = model(pixels)  # [rows, 784] raw values -> [rows, steps + 1, classes]

Greedy order, every step, f32, of models with a linear stem and mlp experts. The
loop over the steps does all rows at once: each row's expert is gathered from the
stacked weights, and the head runs once, over the rows of all steps together.
"""

import os
import sys

import torch
import torch.nn.functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../golden"))
from forward import Checkpoint  # noqa: E402  (reads the file, nothing else)


class Mre:

    def __init__(self, path):
        checkpoint = Checkpoint(path)
        self.config = config = checkpoint.config
        if config["kind"] != "mre" or config["expert"]["kind"] != "mlp":
            raise ValueError(f"{path}: expected an mre with mlp experts")
        self.layers, self.experts = config["layers"], config["experts"]
        self.tensors = {name: torch.from_numpy(values).float()
                        for name, values in checkpoint.tensors.items()}

        def stacked(name):  # one entry an expert, in order of layer, then index
            return torch.stack([
                self.tensors[f"layers.{l}.experts.{i}.{name}"]
                for l in range(self.layers) for i in range(self.experts)])
        self.up, self.up_bias = stacked("up.weight"), stacked("up.bias")
        self.down, self.down_bias = stacked("down.weight"), stacked("down.bias")
        self.norm = torch.stack([self.tensors[f"layers.{l}.norm.weight"]
                                 for l in range(self.layers)])
        self.norm_bias = torch.stack([self.tensors[f"layers.{l}.norm.bias"]
                                      for l in range(self.layers)])
        channels = config["input"]["shape"][-1]
        repeat = self.tensors["stem.weight"].shape[1] // channels
        self.mean = torch.tensor(config["input"]["mean"]).repeat(repeat)
        self.std = torch.tensor(config["input"]["std"]).repeat(repeat)

    def linear(self, name, x):
        return F.linear(x, self.tensors[name + ".weight"],
                        self.tensors[name + ".bias"])

    def routing(self, h):
        """p [B,N], then T_1.. [B,N,N]."""
        sharing = self.config["router"]["sharing"]
        u = torch.tanh(self.linear("router.context", h))
        routing = [F.softmax(self.linear("router.0.gate", u), -1)]
        for l in range(1, self.layers):
            gate = self.linear(f"router.{l // sharing}.gate", u).unsqueeze(1)
            routing.append(F.softmax(
                gate + self.tensors[f"router.{l}.transition"], -1))
        return routing

    def next_experts(self, routing, active):
        """The candidate with the largest rate of each row, as l * N + i."""
        flow, rates = routing[0], []
        for l in range(self.layers):
            here = active[:, l]
            rates.append(flow * (1 - here) - here)  # -1: it has run
            if l + 1 < self.layers:
                flow = torch.bmm((flow * here).unsqueeze(1),
                                 routing[l + 1]).squeeze(1)
        return torch.cat(rates, 1).argmax(-1)

    def run_experts(self, chosen, x):
        """Each row's chosen expert of x [B,d]."""
        x = torch.baddbmm(self.up_bias[chosen].unsqueeze(2), self.up[chosen],
                          x.unsqueeze(2)).relu_()
        return torch.baddbmm(self.down_bias[chosen].unsqueeze(2),
                             self.down[chosen], x).squeeze(2)

    @torch.inference_mode()
    def __call__(self, pixels):
        x = (pixels * self.config["input"]["scale"] - self.mean) / self.std
        h = self.linear("stem", x)
        if self.config["stem"]["activation"] == "relu":
            h = F.relu(h)
        routing = self.routing(h)
        rows = torch.arange(len(h))
        levels = torch.arange(self.layers + 1)
        streams = h.unsqueeze(1).repeat(1, self.layers + 1, 1)
        active = torch.zeros(len(h), self.layers, self.experts)
        exits = [h]
        for _ in range(self.layers * self.experts):
            chosen = self.next_experts(routing, active)
            layer = torch.div(chosen, self.experts, rounding_mode="floor")
            active.view(len(h), -1)[rows, chosen] = 1
            z = F.layer_norm(streams[rows, layer], h.shape[1:])
            z = z * self.norm[layer] + self.norm_bias[layer]
            y = self.run_experts(chosen, z)
            above = (levels > layer.unsqueeze(1)).float().unsqueeze(2)
            streams += y.unsqueeze(1) * above
            exits.append(streams[:, -1].clone())
        z = F.layer_norm(torch.stack(exits, 1), h.shape[1:],
                         self.tensors["head.norm.weight"],
                         self.tensors["head.norm.bias"])
        return F.softmax(self.linear("head", z), -1)
