#!/usr/bin/env python3
"""Two questions about training a spelling corrector, answered with runs of the real programs.

    noise_and_resume.py [--build FOLDER] [--epochs N] [--quick] > result.json
    noise_and_resume.py --print result.json

1. Should the mistakes be made anew in every epoch, or once? Runs `fresh` and `fixed` differ in
   noise.fresh_each_epoch alone, and are judged on the same held-out words.
2. How does the loss go on after a resume? `interrupted` is `fixed` once more, but its worker and
   the daemon are killed with SIGKILL in the middle of an epoch. From that moment it goes on twice:
   as it is, which must end exactly as `fixed`; and with the same words in another order, by which
   every one of them gets a new mistake, as happens where noisy data are generated anew when a
   training starts. Only --accept-changed-data makes traind do that.

The task is that of examples/spelling.toml with a somewhat smaller network. Exit status 1 where the
resumed run is not the undisturbed one. --quick shows in seconds that all of it runs.
"""

import argparse
import contextlib
import json
import os
import pathlib
import platform
import random
import re
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

BENCH = pathlib.Path(__file__).resolve().parent
WORDS = pathlib.Path("/usr/share/dict/american-english")  # Debian's package wamerican
NEAR = 5  # metric rows before and after the resume that its jump is read from
PATIENCE = 60  # seconds until a program answers

RUN_FILE = """\
name = "{name}"
seed = 1
[data]
format = "lines"
train = "words.txt"
valid_fraction = 0.05
valid_limit = {valid}
max_length = 24
[noise]
lines = 0.8
min_edits = 1
max_edits = 1
fresh_each_epoch = {fresh}
[model]
layers = 1
hidden = {hidden}
embedding = 64
bidirectional = true
attention = "general"
[train]
epochs = {epochs}
batch_size = {batch}
learning_rate = 0.0015
device = "cpu"
[checkpoint]
every_batches = {checkpoint}
every_minutes = 0
[report]
every_batches = {report}
"""
FULL = {"valid": 2000, "hidden": 320, "epochs": 7, "batch": 64, "checkpoint": 200, "report": 100}
QUICK = {"valid": 100, "hidden": 64, "epochs": 4, "batch": 8, "checkpoint": 20, "report": 10}

# What a resumed run must tell again to the last bit; times and speeds are left out.
ROW = "step, epoch, batch, inputs, loss, accuracy, valid_loss, gradient_norm, learning_rate"
EPOCH = ("epoch, step, train_loss, valid_loss, examples, exact, character_accuracy, corrupted, "
         "correction, copy_exact, digest")


def until(what, condition, seconds=PATIENCE):
    """The condition's first true value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {seconds} s: {what}")
        time.sleep(0.02)
    return value


def children_of(parent):
    for entry in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if entry.read_text(encoding="utf-8").rpartition(")")[2].split()[1] == str(parent):
                yield int(entry.parent.name)


class Daemon:
    """A traind with its state in `folder`/state, and what one does with it."""

    def __init__(self, build, folder):
        self.programs = {name: build / place / name for name, place in
                         (("traind", "daemon"), ("trainctl", "client"),
                          ("traind-worker", "model/worker"))}
        self.folder = folder
        self.state = folder / "state"
        self.process = None
        (folder / "traind.toml").write_text(
            f'state_folder = "{self.state}"\n[listen]\nsocket = "{folder}/socket"\n'
            '[mail]\ntransport = "folder"\n'
            f'[worker]\nprogram = "{self.programs["traind-worker"]}"\n', encoding="utf-8")

    def boot(self):
        with open(self.folder / "traind.log", "ab") as log:
            self.process = subprocess.Popen(
                [self.programs["traind"], "--config", self.folder / "traind.toml"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until("traind answers", lambda: self._call("version").returncode == 0)

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def kill_everything(self):
        """The daemon must not see its worker die: it would start another one."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGSTOP)
            for child in list(children_of(self.process.pid)):
                os.kill(child, signal.SIGKILL)
            self.process.kill()
        self.process.wait()

    def _call(self, *words):
        return subprocess.run(
            [self.programs["trainctl"], "-H", f"unix://{self.folder}/socket", "--json", *words],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    def ask(self, *words):
        answer = self._call(*words)
        if answer.returncode != 0:
            raise RuntimeError(f"trainctl {' '.join(words)}: {answer.stderr.strip()}")
        return json.loads(answer.stdout)

    def state_of(self, run):
        return self.ask("status", run)["run"]

    def start(self, name, settings, fresh):
        path = self.folder / f"{name}.toml"
        path.write_text(RUN_FILE.format(name=name, fresh=str(fresh).lower(), **settings),
                        encoding="utf-8")
        self.ask("start", str(path))

    def finish(self, run):
        """Waits for the run's end; what it told, exactly."""
        self.ask("wait", run)
        database = sqlite3.connect(f"file:{self.state}/traind.db?mode=ro", uri=True)
        with contextlib.closing(database):
            found = [database.execute(f"SELECT {columns} FROM {view} WHERE name = ? ORDER BY step",
                                      (run,)).fetchall()
                     for columns, view in ((ROW, "metric_list"), (EPOCH, "epoch_list"))]
        return {"rows": found[0], "epochs": found[1], "digest": self.ask("status", run)["digest"]}


def curve_of(record, first_step=0):
    rows = [row for row in record["rows"] if row[0] > first_step]
    return {"step": [row[0] for row in rows], "loss": [round(row[4], 4) for row in rows],
            "valid_loss": [round(row[6], 4) for row in rows]}


def epochs_of(record):
    names = [name.strip() for name in EPOCH.split(",")]
    return [{name: round(value, 4) if isinstance(value, float) else value
             for name, value in zip(names, row)} for row in record["epochs"]]


def around(record, step):
    """Mean losses just before and just after the step at which a run went on."""
    before = [row for row in record["rows"] if row[0] <= step][-NEAR:]
    after = [row for row in record["rows"] if row[0] > step][:NEAR]
    found = {}
    for name, column in (("loss", 4), ("valid_loss", 6)):
        found[f"{name}_before"] = round(statistics.mean(row[column] for row in before), 4)
        found[f"{name}_after"] = round(statistics.mean(row[column] for row in after), 4)
    return found


def write_words(folder, quick):
    lines = WORDS.read_text(encoding="utf-8").splitlines()
    if quick:
        lines = random.Random(1).sample(lines, 3000)
    (folder / "words.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def put_in_another_order(words):
    lines = words.read_text(encoding="utf-8").splitlines()
    random.Random(2).shuffle(lines)
    words.write_text("\n".join(lines) + "\n", encoding="utf-8")


def kill_in_mid_epoch(daemon, run, undisturbed):
    """Kills the run half-way through its last epoch but one; the step that it will go on from."""
    ends = [0] + [row[1] for row in undisturbed["epochs"]]
    epoch = max(1, len(ends) - 2)
    middle = (ends[epoch - 1] + ends[epoch]) // 2
    folder = pathlib.Path(daemon.ask("status", run)["run_folder"])
    until(f"step {middle}", lambda: daemon.state_of(run)["step"] >= middle, seconds=3600)
    daemon.kill_everything()
    newest = max(int(path.stem.rpartition("-")[2])
                 for path in (folder / "checkpoints").glob("checkpoint-*.safetensors"))
    if newest in ends:
        raise RuntimeError(f"step {newest}, where it was killed, is the end of an epoch")
    return newest


def accept_other_data(daemon, run):
    """Goes on with data that are not what they were; what traind says before it is told to."""
    refused = until("the changed data are refused",
                    lambda: daemon.state_of(run)["state"] == "failed" and daemon.state_of(run))
    daemon.ask("resume", run, "--accept-changed-data")
    return refused["reason"]


def resume_twice(daemon, settings, undisturbed):
    """The second question; `undisturbed` is the whole record of `fixed`."""
    daemon.start("interrupted", settings, fresh=False)
    step = kill_in_mid_epoch(daemon, "interrupted", undisturbed)
    at_the_kill = daemon.folder / "state-at-the-kill"
    shutil.copytree(daemon.state, at_the_kill, ignore=shutil.ignore_patterns("socket"))
    daemon.boot()
    resumed = daemon.finish("interrupted")
    daemon.stop()
    shutil.rmtree(daemon.state)
    at_the_kill.rename(daemon.state)
    put_in_another_order(daemon.folder / "words.txt")
    daemon.boot()
    refusal = accept_other_data(daemon, "interrupted")
    anew = daemon.finish("interrupted")
    daemon.stop()
    return {"resumed_step": step,
            "undisturbed": {"digest": undisturbed["digest"], **around(undisturbed, step)},
            "resumed": {"digest": resumed["digest"], "rows": len(resumed["rows"]),
                        "identical": resumed == undisturbed, **around(resumed, step)},
            "noise_made_anew": {"digest": anew["digest"], "refused_with": refusal,
                                **around(anew, step), "epochs": epochs_of(anew),
                                "curve": curve_of(anew, step)}}


def experiment(options, folder):
    settings = dict(QUICK if options.quick else FULL)
    settings["epochs"] = options.epochs or settings["epochs"]
    write_words(folder, options.quick)
    daemon = Daemon(options.build.resolve(), folder)
    start = time.monotonic()
    try:
        daemon.boot()
        records = {}
        for name in ("fresh", "fixed"):
            daemon.start(name, settings, fresh=name == "fresh")
            records[name] = daemon.finish(name)
            print(f"{name}: done after {time.monotonic() - start:.0f} s", file=sys.stderr)
        resume = resume_twice(daemon, settings, records["fixed"])
    finally:
        daemon.kill_everything()
    return {"bench": "noise_and_resume", "cores": len(os.sched_getaffinity(0)),
            "kernel": platform.release(), "seconds": round(time.monotonic() - start),
            "run_file": RUN_FILE.format(name="NAME", fresh="true or false", **settings),
            "noise": {name: {"digest": record["digest"], "epochs": epochs_of(record),
                             "curve": curve_of(record)} for name, record in records.items()},
            "resume": resume}


def text_of(result):
    """JSON with lists of numbers on lines of their own."""
    text = json.dumps(result, indent=1)
    return re.sub(r"\[[^][{}\"]*\]", lambda numbers: " ".join(numbers[0].split()), text)


def show(result):
    """The figures that answer the questions; the curves are in the JSON."""
    for name, run in result["noise"].items():
        print(f"  noise {name}: epoch, training loss, validation loss, exact, corrections, copying")
        for epoch in run["epochs"]:
            print(f"    {epoch['epoch']:3} {epoch['train_loss']:8.4f} {epoch['valid_loss']:8.4f}"
                  f" {100 * epoch['exact']:6.1f} % {100 * epoch['correction']:6.1f} %"
                  f" {100 * epoch['copy_exact']:6.1f} %")
    resume = result["resume"]
    print(f"  resumed at step {resume['resumed_step']}; mean of {NEAR} rows before -> after:")
    for name in ("undisturbed", "resumed", "noise_made_anew"):
        one = resume[name]
        print(f"    {name:16} training loss {one['loss_before']:.4f} -> {one['loss_after']:.4f}, "
              f"validation {one['valid_loss_before']:.4f} -> {one['valid_loss_after']:.4f}, "
              f"final digest {one['digest']}")
    resumed = resume["resumed"]
    print(f"  resumed and undisturbed: {resumed['rows']} rows, every epoch and the weights are "
          f"{'identical' if resumed['identical'] else 'NOT identical'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=BENCH.parent / "build")
    parser.add_argument("--epochs", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="3,000 words, a tiny network")
    parser.add_argument("--print", metavar="RESULT", type=pathlib.Path, dest="shown",
                        help="print the figures of a recorded result")
    options = parser.parse_args()
    if options.shown:
        show(json.loads(options.shown.read_text(encoding="utf-8")))
        return 0
    with tempfile.TemporaryDirectory(prefix="traind-") as folder:
        try:
            result = experiment(options, pathlib.Path(folder))
        except RuntimeError as error:
            log = pathlib.Path(folder) / "traind.log"
            tail = log.read_text(encoding="utf-8", errors="replace")[-2000:] if log.exists() else ""
            print(f"noise_and_resume: {error}\n{tail}", file=sys.stderr)
            return 1
    print(text_of(result))
    return 0 if result["resume"]["resumed"]["identical"] else 1


if __name__ == "__main__":
    sys.exit(main())
