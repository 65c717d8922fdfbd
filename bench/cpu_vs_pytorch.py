#!/usr/bin/env python3
"""A training step on this machine's CPU: ours, PyTorch's, oneDNN's layers, and the bounds.

    cpu_vs_pytorch.py [--build FOLDER] [--rounds N] [--threads N] [--only SHAPE] [--quick]
        > result.json
    cpu_vs_pytorch.py --print result.json

Every measurement is a process of its own, so that memory and libraries are its own too. In a round
each contender runs once, and the next round goes the other way round; a ratio is the median of the
rounds' own ratios, because a shared machine moves from minute to minute. At the end come rounds in
which another process keeps one core busy. Contenders:
  ours              training_throughput: fp32 and bf16, layer 0 by a table of the vocabulary
  ours, no table    the same with every token projected, as nn.LSTM does
  pytorch           torch_cpu.py with the settings that were found to be best
  onednn            onednn_lstm: the LSTM layers alone
  products          step_bounds: the matrix products alone, with our kernels
What cannot run here is left out and listed with its reason. --quick only shows that all of it runs.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import platform
import subprocess
import sys
import sysconfig
import tempfile

import cpu_report

BENCH = pathlib.Path(__file__).resolve().parent
NOT_HERE = 3  # exit status of a program whose library or instructions are absent
LONGEST = 600  # seconds; a measurement that takes longer says nothing about a quiet machine

# name: H = I, batch, characters of a sentence, steps timed in a round
SHAPES = {
    "big": (512, 128, 40, 3),
    "small": (256, 64, 40, 12),
    "wide": (1024, 64, 40, 2),
    "quick": (64, 32, 20, 2),
}


@dataclasses.dataclass(frozen=True)
class Contender:
    workload: str
    name: str
    threads: int
    command: tuple
    environment: tuple = ()
    absent: str = ""  # why it cannot run here
    contended: bool = False

    def key(self):
        return {"workload": self.workload, "contender": self.name, "threads": self.threads,
                "contended": self.contended}


def processor_flags():
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return set()
    return set(next((line for line in text.splitlines() if line.startswith("flags")), "").split())


def torch_settings(threads):
    """Environment that makes PyTorch 1.13 fastest, and what of it is not to be had here.

    OpenBLAS must share PyTorch's OpenMP threads (its own pool fights with them), and does not know
    newer processors than its release: left alone it takes an AVX2 kernel. So does ATen. The C
    library's allocator gives memory back to the system in every step; tcmalloc keeps it.
    """
    libraries = pathlib.Path("/usr/lib") / (sysconfig.get_config_var("MULTIARCH") or "")
    blas = libraries / "openblas-openmp"
    allocator = libraries / "libtcmalloc_minimal.so.4"
    settings = {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    lacking = []
    if blas.is_dir():
        settings["LD_LIBRARY_PATH"] = str(blas)
    else:
        lacking.append("libopenblas0-openmp")
    if allocator.exists():
        settings["LD_PRELOAD"] = str(allocator)
    else:
        lacking.append("libtcmalloc-minimal4")
    if "avx512f" in processor_flags():
        settings.update(OPENBLAS_CORETYPE="SKYLAKEX", ATEN_CPU_CAPABILITY="avx512")
    return settings, lacking


class Field:
    """Who takes part, and with what."""

    def __init__(self, build, threads, quick):
        self.programs = build / "bench"
        self.threads = threads
        self.quick = quick
        self.settings, self.lacking = torch_settings(threads)
        bf16 = processor_flags() & {"avx512_bf16", "amx_bf16"}
        self.no_bf16 = "" if bf16 else "the processor has no bfloat16 instructions"

    def ours(self, workload, name, *flags, threads=None, contended=False):
        shape = workload.partition(",")[0]
        threads = threads or self.threads
        command = [str(self.programs / "training_throughput"), "--rounds", "1", "--only", workload,
                   "--steps", str(SHAPES[shape][3]), "--threads", str(threads), *flags]
        if self.quick:
            command.insert(1, "--quick")
        absent = self.no_bf16 if "--bf16" in flags else ""
        return Contender(workload, name, threads, tuple(command), (), absent, contended)

    def _of_shape(self, program, workload, flags):
        hidden, batch, steps, repeat = SHAPES[workload]
        return (*program, "--hidden", str(hidden), "--batch", str(batch), "--steps", str(steps),
                "--repeat", str(repeat), *flags)

    def pytorch(self, workload, name, *flags):
        command = self._of_shape(("/usr/bin/python3", str(BENCH / "torch_cpu.py")), workload,
                                 ("--threads", str(self.threads), *flags))
        return Contender(workload, name, self.threads, command, tuple(self.settings.items()))

    def onednn(self, workload, name, *flags, contended=False):
        program = self.programs / "cpu" / "onednn_lstm"
        absent = "" if program.exists() else "not built: oneDNN 2 (libdnnl-dev) is not here"
        return Contender(workload, name, self.threads,
                         self._of_shape((str(program),), workload, flags),
                         (("OMP_NUM_THREADS", str(self.threads)),), absent, contended)

    def products(self, workload, name, *flags):
        program = str(self.programs / "cpu" / "step_bounds")
        command = self._of_shape((program,), workload, ("--threads", str(self.threads), *flags))
        return Contender(workload, name, self.threads, command, (),
                         self.no_bf16 if "--bf16" in flags else "")

    def whole_comparison(self, shape):
        """What is compared at a shape; a bound stands next to what is held to it."""
        return [self.pytorch(shape, "pytorch fp32"),
                self.ours(shape, "ours fp32"),
                self.onednn(shape, "onednn fp32"),
                self.ours(shape, "ours fp32, no table", "--no-table"),
                self.products(shape, "products fp32"),
                self.pytorch(shape, "pytorch bf16", "--bf16"),
                self.ours(shape, "ours bf16", "--bf16"),
                self.onednn(shape, "onednn bf16", "--bf16"),
                self.products(shape, "products bf16", "--bf16")]

    def quiet(self):
        if self.quick:
            return self.whole_comparison("quick") + [self.ours("quick", "ours fp32", threads=2)]
        chosen = []
        for shape in ("big", "small"):
            chosen += self.whole_comparison(shape)
            chosen += [self.ours(shape, "ours fp32", threads=1),
                       self.ours(shape, "ours bf16", "--bf16", threads=1)]
            for kind in ("attention", "ragged"):
                chosen += [self.ours(f"{shape}, {kind}", "ours fp32"),
                           self.ours(f"{shape}, {kind}", "ours bf16", "--bf16")]
        return chosen + [self.pytorch("wide", "pytorch fp32"), self.ours("wide", "ours fp32"),
                         self.pytorch("wide", "pytorch bf16", "--bf16"),
                         self.ours("wide", "ours bf16", "--bf16")]

    def contended(self):
        """oneDNN's layers show what a barrier in every time step costs, at the small shape only:
        at the big one a step of theirs can take half a minute."""
        if self.quick:
            return [self.ours("quick", "ours fp32", contended=True)]
        return [self.ours("big", "ours fp32", contended=True),
                self.ours("big", "ours bf16", "--bf16", contended=True),
                self.ours("small", "ours fp32", contended=True),
                self.onednn("small", "onednn fp32", contended=True)]


@contextlib.contextmanager
def busy_core():
    """Another process takes the last core that this one may use."""
    last = max(os.sched_getaffinity(0))
    spinner = subprocess.Popen(
        [sys.executable, "-c", f"import os\nos.sched_setaffinity(0, {{{last}}})\nwhile True: pass"])
    try:
        yield
    finally:
        spinner.kill()
        spinner.wait()


def measured(contender):
    """One process's JSON answer and its peak memory in MB, or None and why there is none."""
    if contender.absent:
        return None, contender.absent
    with tempfile.TemporaryFile("w+") as told, tempfile.TemporaryFile("w+") as complaint:
        process = subprocess.Popen(("timeout", "--foreground", str(LONGEST),
                                    *contender.command),
                                   stdin=subprocess.DEVNULL, stdout=told, stderr=complaint,
                                   env={**os.environ, **dict(contender.environment)})
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        told.seek(0)
        complaint.seek(0)
        if process.returncode == 124:
            return None, f"not within {LONGEST} s"
        if process.returncode != 0:
            words = complaint.read().strip()
            if process.returncode == NOT_HERE:
                return None, words.splitlines()[-1]
            raise RuntimeError(f"{' '.join(contender.command)} ended with {process.returncode}:\n"
                               f"{words}")
        return json.loads(told.read()), usage.ru_maxrss / 1024


def figures(contender, answer, peak_memory):
    """What one measurement says, whichever program it comes from."""
    if "workloads" in answer:
        work = answer["workloads"][0]
        found = {"ms": work["ms_per_step"]["median"], "peak_memory_mb": peak_memory,
                 "chars": work["chars_per_step"],
                 "fma_peak_gflops": answer["fma_peak_gflops"]["median"]}
        # Of float32 operations that were all done: neither left out by the table nor in bfloat16.
        if contender.name == "ours fp32, no table":
            found["fraction_of_peak"] = work["fraction_of_peak"]
        return found
    _, batch, steps, _ = SHAPES[contender.workload]
    found = {"ms": answer["ms_per_step"]["median"], "peak_memory_mb": peak_memory,
             "chars": 2 * batch * steps}
    if "fma_peak_gflops" in answer:
        found["fma_peak_gflops"] = answer["fma_peak_gflops"]
    return found


class Record:
    """What was measured, by contender, and what was left out."""

    def __init__(self):
        self.samples = {}  # contender -> figures of each round
        self.skipped = {}  # contender -> reason
        self.answers = {}  # contender name -> one whole answer, for versions and settings

    def take(self, contender):
        if contender in self.skipped:
            return
        answer, more = measured(contender)
        if answer is None:
            self.skipped[contender] = more
            return
        self.samples.setdefault(contender, []).append(figures(contender, answer, more))
        self.answers.setdefault(contender.name, answer)

    def rows(self):
        return [{**contender.key(), **cpu_report.row_of(samples)}
                for contender, samples in self.samples.items() if contender not in self.skipped]


def machine():
    name = next((line.partition(":")[2].strip()
                 for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
                 if line.startswith("model name")), platform.processor())
    return {"processor": name, "cores": len(os.sched_getaffinity(0)), "kernel": platform.release(),
            "system": platform.freedesktop_os_release().get("PRETTY_NAME", "")}


def compare(options):
    field = Field(options.build, options.threads, options.quick)
    record = Record()
    load = []
    for phase, contenders in (("", field.quiet()), ("beside a busy process", field.contended())):
        contenders = [contender for contender in contenders
                      if options.only in (None, contender.workload.partition(",")[0])]
        with busy_core() if phase else contextlib.nullcontext():
            for number in range(options.rounds):
                load.append(os.getloadavg()[0])
                for contender in contenders if number % 2 == 0 else reversed(contenders):
                    record.take(contender)
                print(f"round {number + 1} of {options.rounds} {phase}", file=sys.stderr)
    rows = record.rows()
    torch = record.answers.get("pytorch fp32", {})
    onednn = record.answers.get("onednn fp32", {})
    return {
        "bench": "cpu_vs_pytorch", "machine": machine(), "threads": options.threads,
        "rounds": options.rounds, "load_average_before_rounds": load,
        "pytorch": {"version": torch.get("torch"), "capability": torch.get("cpu_capability"),
                    "settings": field.settings, "packages_lacking": field.lacking},
        "onednn": {"version": onednn.get("version")},
        "shapes": {name: dict(zip(("hidden", "batch", "characters", "steps_timed"), shape))
                   for name, shape in SHAPES.items()},
        "rows": rows,
        "skipped": [{**contender.key(), "reason": reason}
                    for contender, reason in record.skipped.items()],
        "ratios": cpu_report.ratios_of(rows, options.threads)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=BENCH.parent / "build")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--only", choices=[name for name in SHAPES if name != "quick"])
    parser.add_argument("--quick", action="store_true", help="a tiny shape, one round, one thread")
    parser.add_argument("--print", metavar="RESULT", type=pathlib.Path, dest="shown",
                        help="print the table of a recorded result")
    options = parser.parse_args()
    if options.shown:
        cpu_report.show(json.loads(options.shown.read_text(encoding="utf-8")))
        return 0
    if options.quick:
        # One thread: beside other tests a library that spins would take minutes.
        options.rounds = options.threads = 1
    result = compare(options)
    print(json.dumps(result, indent=1))
    if options.quick:  # so that a test runs this too
        with contextlib.redirect_stdout(sys.stderr):
            cpu_report.show(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
