#!/usr/bin/python3
"""Writes the dense stack that serve_bench.py's row onnxruntime runs, as ONNX.

  dense_stack.py FILE.onnx

The shipped mre without its routing: 784 -> 64, then residual blocks
x + down(relu(up(LayerNorm(x)))) of 64 -> 64 -> 64, one head, random weights; as
many blocks as come nearest to the MACs of all 32 experts. Prints its MACs.
"""

import sys

import torch
from torch import nn

MACS = 336512  # of the shipped model with every expert
STEM, BLOCK, HEAD = 784 * 64, 2 * 64 * 64, 64 * 10
BLOCKS = round((MACS - STEM - HEAD) / BLOCK)


class Block(nn.Module):

    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(64)
        self.up, self.down = nn.Linear(64, 64), nn.Linear(64, 64)

    def forward(self, x):
        return x + self.down(torch.relu(self.up(self.norm(x))))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    model = nn.Sequential(
        nn.Linear(784, 64), *(Block() for _ in range(BLOCKS)), nn.LayerNorm(64),
        nn.Linear(64, 10), nn.Softmax(-1))
    torch.onnx.export(model.eval(), torch.zeros(1, 784), sys.argv[1],
                      input_names=["x"], output_names=["y"],
                      dynamic_axes={"x": {0: "rows"}, "y": {0: "rows"}})
    print(f"{STEM + BLOCKS * BLOCK + HEAD:,}")


if __name__ == "__main__":
    main()
