"""A machine for one test: the real traind, worker and trainctl, in a folder of their own.

Everything is driven as a user would: trainctl, signals, files. The database is read beside the
running daemon, read-only. Nothing here sleeps for a time; until() polls a condition.
"""

import ctypes
import json
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
import unittest

TRAIND = os.environ["TRAIND"]
TRAINCTL = os.environ["TRAINCTL"]
WORKER = os.environ["TRAIND_WORKER"]

# Sanitized programs are slower; a deadline is for what never comes, not for what is slow.
SLOWNESS = float(os.environ.get("TRAIND_TEST_PATIENCE", "1"))
PATIENCE = 60 * SLOWNESS
# Wide enough that a run of three epochs takes a few seconds, and can be disturbed in the middle.
HIDDEN = 288 if SLOWNESS == 1 else 64
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG

# What a resumed run must tell again to the last bit; times and speeds are left out.
METRIC_COLUMNS = ("step, epoch, batch, batches_per_epoch, inputs, loss, accuracy, valid_loss, "
                  "gradient_norm, learning_rate")
EPOCH_COLUMNS = ("epoch, epochs, step, train_loss, valid_loss, examples, exact, "
                 "character_accuracy, corrupted, correction, copy_exact, "
                 "copy_character_accuracy, best, learning_rate, digest")

RUN_FILE = """
name = "{name}"
seed = 7
[data]
format = "lines"
train = "words.txt"
valid_fraction = 0.1
[model]
layers = 2
hidden = {hidden}
bidirectional = true
attention = "general"
dropout = 0.1
[train]
epochs = {epochs}
batch_size = 16
threads = 1
{train}
[checkpoint]
every_batches = {checkpoint}
every_minutes = 0
[report]
every_batches = {report}
"""


def until(what, condition, seconds=None):
    """The condition's first true value. Fails when it does not come."""
    seconds = seconds or PATIENCE
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.02)


def children_of(pid):
    """Process id -> command line, of the children that still live."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            stat = pathlib.Path(f"/proc/{entry}/stat").read_text(encoding="utf-8")
            state, parent = stat.rpartition(")")[2].split()[:2]
            if int(parent) == pid and state != "Z":
                words = pathlib.Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
                found[int(entry)] = [word.decode() for word in words[:-1]]
        except OSError:
            continue  # it has ended meanwhile
    return found


def lives(pid):
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        return stat.rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


class Machine:
    def __init__(self, mail='transport = "folder"', worker="", program=WORKER):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="traind-"))
        self.state = self.folder / "state"
        self.socket = self.folder / "socket"
        self.log = self.folder / "traind.log"
        self.config = self.folder / "traind.toml"
        self.environment = {}  # what traind and its workers see beside our own
        self.config.write_text(
            f'state_folder = "{self.state}"\n[listen]\nsocket = "{self.socket}"\n'
            f"[mail]\n{mail}\n[worker]\nprogram = \"{program}\"\n"
            f"restart_delay_seconds = 0.05\nlongest_restart_delay_seconds = 0.2\n{worker}\n",
            encoding="utf-8")
        self.daemon = None

    def replace_in_config(self, old, new):
        text = self.config.read_text(encoding="utf-8")
        assert old in text, old
        self.config.write_text(text.replace(old, new), encoding="utf-8")

    # The daemon.

    def launch(self):
        """Starts traind; does not wait until it answers, which under a fault it may never do."""
        def bound_to_us():
            ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)

        with open(self.log, "ab") as log:
            self.daemon = subprocess.Popen([TRAIND, "--config", self.config], stderr=log,
                                           stdout=log, stdin=subprocess.DEVNULL,
                                           env={**os.environ, **self.environment},
                                           preexec_fn=bound_to_us)

    def boot(self):
        """Starts traind and waits until it answers."""
        self.launch()
        until("traind answers", self.answers_or_died)
        return self

    def answers_or_died(self):
        if self.daemon.poll() is not None:
            raise AssertionError(f"traind ended with {self.daemon.returncode}:\n{self.log_text()}")
        return self.trainctl("version").returncode == 0

    def signal_daemon(self, number):
        self.daemon.send_signal(number)

    def kill_daemon(self):
        self.daemon.kill()
        self.daemon.wait()

    def stop_daemon(self):
        """Asks the daemon to end, which it must do well."""
        self.daemon.terminate()
        if self.daemon.wait(PATIENCE) != 0:
            raise AssertionError(f"traind ended with {self.daemon.returncode}:\n{self.log_text()}")

    def worker(self):
        """The process id of the worker that trains, or None."""
        for pid, words in children_of(self.daemon.pid).items():
            if "run" in words:
                return pid
        return None

    def log_text(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def remove(self):
        pids = [] if self.daemon is None else list(children_of(self.daemon.pid))
        if self.daemon is not None:
            self.daemon.kill()
            self.daemon.wait()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        until("the worker is gone", lambda: not any(map(lives, pids)))
        shutil.rmtree(self.folder, ignore_errors=True)

    # The client.

    def trainctl(self, *words, stdin=None):
        return subprocess.run([TRAINCTL, "-H", f"unix://{self.socket}", *words],
                              input=stdin, stdin=None if stdin else subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=2 * PATIENCE)

    def trainctl_process(self, *words):
        return subprocess.Popen([TRAINCTL, "-H", f"unix://{self.socket}", *words],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def told(self, *words):
        """What trainctl says with --json; fails when it fails."""
        result = self.trainctl("--json", *words)
        if result.returncode != 0:
            raise AssertionError(f"trainctl {words} ended with {result.returncode}: "
                                 f"{result.stderr}{self.log_text()}")
        return json.loads(result.stdout)

    def status(self, run=""):
        return self.told("status", *([run] if run else []))

    def step(self, run=""):
        status = self.status(run)
        return (status["progress"] or status["run"])["step"]

    def in_state(self, *states, run=""):
        return self.status(run)["run"]["state"] in states

    def until_state(self, *states, run=""):
        def arrived():
            now = self.status(run)["run"]
            if now["state"] in ("failed", "completed") and now["state"] not in states:
                raise AssertionError(f"the run is {now['state']}: {now['reason']}\n"
                                     f"{self.log_text()}")
            return now["state"] in states
        until(f"the run is {' or '.join(states)}", arrived)

    def until_step(self, step, run=""):
        def reached():
            now = self.status(run)
            if now["run"]["state"] == "failed":
                raise AssertionError(f"no step will come: {now['run']['reason']}\n"
                                     f"{self.log_text()}")
            return (now["progress"] or now["run"])["step"] >= step
        until(f"step {step} is reached", reached)

    def until_worker(self):
        def found():
            now = self.status()["run"]
            if now["state"] in ("failed", "completed"):
                raise AssertionError(f"no worker will come, the run is {now['state']}: "
                                     f"{now['reason']}\n{self.log_text()}")
            return self.worker()
        return until("a worker trains", found)

    def until_restart(self, number):
        """Waits until workers of the run were started again so often."""
        def started():
            now = self.status()["run"]
            if now["restarts"] < number and now["state"] in ("failed", "completed"):
                raise AssertionError(f"no worker will come, the run is {now['state']}: "
                                     f"{now['reason']}\n{self.log_text()}")
            return now["restarts"] >= number
        until(f"restart {number}", started)

    def until_checkpoint(self, newer_than):
        """The step of a durable checkpoint that is newer than that step."""
        def newer():
            checkpoint = self.status()["checkpoint"]
            return checkpoint and checkpoint["step"] > newer_than and checkpoint["step"]
        return until(f"a checkpoint of a step after {newer_than}", newer)

    # What a run needs, and what it leaves.

    def write_run(self, name="tiny", epochs=3, hidden=HIDDEN, checkpoint=15, report=10, words=1600,
                  train="", more=""):
        """Writes a run file and its corpus; returns the file. `train`: more of that table."""
        source = random.Random(42)
        letters = "abcdefghijklmnop"
        lines = ("".join(source.choices(letters, k=source.randint(3, 8))) for _ in range(words))
        corpus = self.folder / "words.txt"
        text = "\n".join(lines) + "\n"
        # Not while a worker reads the same words there.
        if not corpus.exists() or corpus.read_text(encoding="utf-8") != text:
            corpus.write_text(text, encoding="utf-8")
        path = self.folder / f"{name}.toml"
        path.write_text(RUN_FILE.format(name=name, epochs=epochs, hidden=hidden, report=report,
                                        checkpoint=checkpoint, train=train) + more,
                        encoding="utf-8")
        return path

    def start_run(self, **settings):
        return self.told("start", str(self.write_run(**settings)))

    def rows(self, query, *values):
        """Read beside the running daemon, as anybody may."""
        database = sqlite3.connect(f"file:{self.state}/traind.db?mode=ro", uri=True, timeout=10)
        try:
            return database.execute(query, values).fetchall()
        finally:
            database.close()

    def record(self, run="tiny"):
        """All that is true of a finished run whatever happened on the way."""
        key, state, step = self.rows(
            "SELECT run, state, step FROM runs WHERE name = ? ORDER BY run DESC", run)[0]
        return {
            "state": state,
            "step": step,
            "digest": self.status(run)["digest"],
            "metrics": self.rows(f"SELECT {METRIC_COLUMNS} FROM metrics WHERE run = ? "
                                 "ORDER BY step", key),
            "epochs": self.rows(f"SELECT {EPOCH_COLUMNS} FROM epochs WHERE run = ? "
                                "ORDER BY epoch", key),
            "samples": self.rows("SELECT epoch, position, source, target, output FROM samples "
                                 "WHERE run = ? ORDER BY epoch, position", key),
        }

    def mails(self):
        """The .eml files of the mail folder, as text."""
        return {path.name: path.read_text(encoding="utf-8")
                for path in sorted((self.state / "mail").glob("*.eml"))}


class MachineTest(unittest.TestCase):
    """A test that builds machines and leaves none behind."""

    maxDiff = 4000

    def machine(self, **settings):
        machine = Machine(**settings)
        self.addCleanup(machine.remove)
        return machine
