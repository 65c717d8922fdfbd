#!/usr/bin/env python3
"""Time of one training step in PyTorch on a CPU: the model of training_throughput.

    torch_cpu.py [--hidden H] [--batch B] [--steps T] [--bf16] [--threads N] [--repeat N]

Embeddings, an encoder and a decoder of nn.LSTM with two layers and dropout between them, a linear
layer, cross entropy, gradients clipped to a norm, Adam over all parameters at once (foreach).
--bf16: under torch.autocast. One JSON object to standard output. The settings that make PyTorch
fast are variables of the environment, which cpu_vs_pytorch.py sets: the library that multiplies
reads them when it is loaded. Exit status 3 where there is no PyTorch.
"""

import argparse
import json
import statistics
import sys
import time

try:
    import torch
    from torch import nn
except ImportError:
    print("torch_cpu.py: there is no PyTorch here (Debian's python3-torch)", file=sys.stderr)
    sys.exit(3)

WORDS = 100
LAYERS = 2
DROPOUT = 0.3
CLIP_NORM = 5.0
WARM_UP = 2


class Model(nn.Module):
    """An encoder, and a decoder that begins with its last state."""

    def __init__(self, hidden):
        super().__init__()
        self.source = nn.Embedding(WORDS, hidden)
        self.target = nn.Embedding(WORDS, hidden)
        self.encoder = nn.LSTM(hidden, hidden, LAYERS, dropout=DROPOUT)
        self.decoder = nn.LSTM(hidden, hidden, LAYERS, dropout=DROPOUT)
        self.output = nn.Linear(hidden, WORDS)

    def forward(self, source, target):
        """Logits [T,B,V] of ids [S,B] and [T,B]."""
        _, state = self.encoder(self.source(source))
        hidden, _ = self.decoder(self.target(target), state)
        return self.output(hidden)


class Training:
    def __init__(self, hidden, batch, steps, bf16):
        torch.manual_seed(1)
        self.bf16 = bf16
        self.model = Model(hidden)
        self.adam = torch.optim.Adam(self.model.parameters(), 1e-3, foreach=True)
        shape = (steps, batch)
        self.source, self.target, self.answer = (torch.randint(0, WORDS, shape) for _ in range(3))

    def step(self):
        """One update; returns the loss before it."""
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bf16):
            logits = self.model(self.source, self.target)
        loss = nn.functional.cross_entropy(logits.float().flatten(0, 1), self.answer.flatten())
        self.adam.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), CLIP_NORM)
        self.adam.step()
        return loss.item()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=40, help="characters of a sentence")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--threads", type=int, default=0, help="0 = as PyTorch chooses")
    parser.add_argument("--repeat", type=int, default=3, help="steps that are timed")
    options = parser.parse_args()
    if options.threads > 0:
        torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    training = Training(options.hidden, options.batch, options.steps, options.bf16)
    milliseconds = []
    for number in range(WARM_UP + options.repeat):
        start = time.perf_counter()
        loss = training.step()
        if number >= WARM_UP:
            milliseconds.append(1e3 * (time.perf_counter() - start))
    capability = torch.__config__.show().partition("CPU capability usage: ")[2].split("\n")[0]
    print(json.dumps({
        "bench": "torch_cpu", "torch": torch.__version__, "cpu_capability": capability,
        "threads": torch.get_num_threads(), "hidden": options.hidden, "batch": options.batch,
        "steps": options.steps, "bf16": options.bf16, "loss": loss,
        "ms_per_step": {"median": statistics.median(milliseconds), "min": min(milliseconds),
                        "max": max(milliseconds), "samples": len(milliseconds)}}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
