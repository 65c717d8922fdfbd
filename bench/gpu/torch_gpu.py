#!/usr/bin/env python3
"""PyTorch at the shapes of gpu_step, and ours beside it in the same rounds.

    torch_gpu.py [--ours GPU_STEP] [--rounds N] [--steps N] [--only WORKLOAD] [--quick] > result.json

Same model, batch shape, dropout, loss, clipping and Adam as gpu_step.cc; every sentence has full
length. Contenders, from what one types first to the fastest that was found:
  eager autocast   nn.LSTM of two layers in bf16 or fp16 (with GradScaler), fused Adam
  compiled         the same in bf16 under torch.compile, mode "reduce-overhead"
  graph            one-layer LSTMs stacked by hand, which is the only way to cuDNN's persistent
                   kernels (they want fp16 and one layer), in one CUDA graph, fused Adam
  graph, pure fp16 the same with fp16 weights too: the least work, but no float32 master weights
In each round every contender runs once and then ours; ratios are medians over rounds.
Exit status 3 where there is no PyTorch or no GPU.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time

try:
    import torch
    from torch import nn
except ImportError:
    print("torch_gpu.py: there is no PyTorch here", file=sys.stderr)
    sys.exit(3)

WORDS = 100
DROPOUT = 0.3
CLIP_NORM = 5.0
FIXED_LOSS_SCALE = 1024.0  # in a graph GradScaler cannot look at its own result
WARM_UP = 11

WORKLOADS = {
    "2x512": {"hidden": 512, "batch": 128, "steps": 40, "attention": False},
    "2x512, attention": {"hidden": 512, "batch": 128, "steps": 40, "attention": True},
    "2x1024": {"hidden": 1024, "batch": 256, "steps": 40, "attention": False},
    "2x1024, attention": {"hidden": 1024, "batch": 256, "steps": 40, "attention": True},
}
QUICK = {"quick": {"hidden": 64, "batch": 16, "steps": 12, "attention": True}}


class StackedLstm(nn.Module):
    """nn.LSTM(hidden, hidden, 2, dropout) as two modules of one layer."""

    def __init__(self, hidden):
        super().__init__()
        self.layers = nn.ModuleList([nn.LSTM(hidden, hidden) for _ in range(2)])
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x, state=None):
        last = []
        for number, layer in enumerate(self.layers):
            if number > 0:
                x = self.dropout(x)
            x, after = layer(x, None if state is None else state[number])
            last.append(after)
        return x, last


class Model(nn.Module):
    """Encoder, decoder that starts from its state, Luong attention, projection."""

    def __init__(self, hidden, attention, stacked):
        super().__init__()
        self.source = nn.Embedding(WORDS, hidden)
        self.target = nn.Embedding(WORDS, hidden)
        lstm = StackedLstm if stacked else lambda size: nn.LSTM(size, size, 2, dropout=DROPOUT)
        self.encoder = lstm(hidden)
        self.decoder = lstm(hidden)
        self.score = nn.Linear(hidden, hidden, bias=False) if attention else None
        self.combine = nn.Linear(2 * hidden, hidden, bias=False) if attention else None
        self.output = nn.Linear(hidden, WORDS)

    def forward(self, source, target):
        """Logits [T,B,V] of ids [S,B] and [T,B]."""
        memory, state = self.encoder(self.source(source))
        h, _ = self.decoder(self.target(target), state)
        if self.score is not None:
            scores = torch.einsum("tbh,sbh->bts", h, self.score(memory))
            context = torch.einsum("bts,sbh->tbh", torch.softmax(scores, dim=2), memory)
            h = torch.tanh(self.combine(torch.cat([context, h], dim=2)))
        return self.output(h)


class Contender:
    """One way to train; step() queues one training step."""

    def __init__(self, name, work, autocast=None, weights=torch.float32, stacked=False,
                 graph=False, compiled=False):
        torch.manual_seed(1)
        self.name = name
        self.autocast = autocast
        self.cache = not graph  # a graph must not keep casts from before it
        self.model = Model(work["hidden"], work["attention"], stacked).cuda().to(weights)
        self.called = torch.compile(self.model, mode="reduce-overhead") if compiled else self.model
        self.adam = torch.optim.Adam(self.model.parameters(), 1e-3, fused=True, capturable=graph)
        half = autocast == torch.float16 or weights == torch.float16
        self.scaler = torch.amp.GradScaler("cuda") if half and not graph else None
        self.scale = FIXED_LOSS_SCALE if half and graph else 1.0
        shape = (work["steps"], work["batch"])
        self.source, self.target, self.answer = (
            torch.randint(0, WORDS, shape, device="cuda") for _ in range(3))
        self.milliseconds = []
        self.step = self._captured() if graph else self._step
        if not graph:
            for _ in range(WARM_UP):
                self.step()
        torch.cuda.synchronize()

    def _step(self):
        with torch.autocast("cuda", dtype=self.autocast or torch.bfloat16,
                            enabled=self.autocast is not None, cache_enabled=self.cache):
            logits = self.called(self.source, self.target)
        loss = nn.functional.cross_entropy(logits.flatten(0, 1).float(), self.answer.flatten())
        self.adam.zero_grad(set_to_none=True)
        if self.scaler is None:
            (loss * self.scale).backward()
            self._clip(CLIP_NORM * self.scale)
            self.adam.step()  # Adam does not mind the scale
            return
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.adam)
        self._clip(CLIP_NORM)
        self.scaler.step(self.adam)
        self.scaler.update()

    def _clip(self, norm):
        nn.utils.clip_grad_norm_(self.model.parameters(), norm, foreach=True)

    def _captured(self):
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                self._step()
        torch.cuda.current_stream().wait_stream(side)
        self.adam.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._step()
        return graph.replay

    def round(self, steps):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(steps):
            self.step()
        torch.cuda.synchronize()
        self.milliseconds.append(1e3 * (time.perf_counter() - start) / steps)


def contenders_for(work):
    """The contenders that run here. What does not is said on standard error."""
    half, bfloat = torch.float16, torch.bfloat16
    wanted = [
        ("eager autocast bf16", {"autocast": bfloat}),
        ("eager autocast fp16", {"autocast": half}),
        ("compiled bf16", {"autocast": bfloat, "compiled": True}),
        ("graph fp16", {"autocast": half, "stacked": True, "graph": True}),
        ("graph bf16", {"autocast": bfloat, "stacked": True, "graph": True}),
        ("graph, pure fp16", {"weights": half, "stacked": True, "graph": True}),
    ]
    ready = []
    for name, how in wanted:
        try:
            ready.append(Contender(name, work, **how))
        except (RuntimeError, AssertionError) as error:
            print(f"{name}: {str(error).splitlines()[0][:200]}", file=sys.stderr)
    return ready


def ours_once(program, name, steps):
    """Milliseconds a step in each precision, and gpu_step's whole answer, of one round."""
    run = subprocess.run([program, "--rounds", "1", "--steps", str(steps), "--only", name],
                         check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(run.stdout)["workloads"][0]
    return {one["precision"]: one["ms_per_step"]["median"] for one in found["precisions"]}, found


def summary(name, milliseconds, characters):
    middle = statistics.median(milliseconds)
    return {"name": name,
            "ms_per_step": {"median": middle, "min": min(milliseconds), "max": max(milliseconds),
                            "samples": len(milliseconds)},
            "chars_per_second": round(1e3 * characters / middle)}


def ratios_of(contenders, ours):
    """How many times faster our best precision is, by the medians of the rounds' own ratios."""
    eager = [c.milliseconds for c in contenders if c.name.startswith("eager")]
    every = [c.milliseconds for c in contenders]
    if not ours or not eager:
        return {}
    our_best = [min(round_) for round_ in zip(*ours.values())]

    def against(theirs):
        best = [min(round_) for round_ in zip(*theirs)]
        return statistics.median(their / our for their, our in zip(best, our_best))

    return {"ours_over_eager_autocast": against(eager), "ours_over_best_pytorch": against(every)}


def measure(name, work, options):
    contenders = contenders_for(work)
    ours, ours_last = {}, None
    for number in range(options.rounds):
        for contender in contenders:
            contender.round(options.steps)
        if options.ours:
            milliseconds, ours_last = ours_once(options.ours, name, options.steps)
            for precision, value in milliseconds.items():
                ours.setdefault(precision, []).append(value)
        print(f"{name}: round {number + 1} of {options.rounds}", file=sys.stderr)
    characters = 2 * work["batch"] * work["steps"]
    return {"name": name, **work, "dropout": DROPOUT, "words": WORDS, "chars_per_step": characters,
            "pytorch": [summary(c.name, c.milliseconds, characters) for c in contenders],
            "ours": [summary(precision, values, characters) for precision, values in ours.items()],
            "ours_last_round": ours_last, **ratios_of(contenders, ours)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", metavar="GPU_STEP", help="the built gpu_step, to run beside")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=60, help="of each contender in a round")
    parser.add_argument("--only", metavar="WORKLOAD")
    parser.add_argument("--quick", action="store_true", help="a small model, to see that it runs")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("torch_gpu.py: PyTorch finds no GPU", file=sys.stderr)
        return 3
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    if options.quick:
        options.rounds, options.steps = 2, 8
    workloads = QUICK if options.quick else WORKLOADS
    if options.quick:
        options.ours = None  # it has no workload of that name but with --quick
    chosen = {name: work for name, work in workloads.items() if options.only in (None, name)}
    print(json.dumps({
        "bench": "torch_gpu", "device": torch.cuda.get_device_name(), "torch": torch.__version__,
        "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version(),
        "rounds": options.rounds, "steps_per_round": options.steps,
        "workloads": [measure(name, work, options) for name, work in chosen.items()]}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
