"""What the tests of kills, power cuts, damage and crash loops share.

A plan for failing_calls.cc; a snapshot of what the database has acknowledged, which must still be
true ever after; and the figures of a soak.
"""

import json
import os
import pathlib
import signal
import sqlite3

from machine import lives, until

LIBRARY = os.environ["FAILING_CALLS_LIBRARY"]
SOAK = os.environ.get("TRAIND_SOAK") == "1"

# Small enough that a worker is up and at work within a tenth of a second.
TINY = {"hidden": 8, "words": 300, "report": 4, "checkpoint": 4}


def record_soak(name, figures):
    """Keeps what a soak has measured, where scripts/test wants it."""
    folder = os.environ.get("TRAIND_SOAK_RESULTS")
    if SOAK and folder:
        path = pathlib.Path(folder) / f"faults_{name}.json"
        path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def plan_fault(machine, *lines):
    """Whatever the machine starts from now on runs under this plan."""
    plan = machine.folder / "plan"
    plan.write_text("\n".join(lines) + "\n", encoding="utf-8")
    machine.environment.update(LD_PRELOAD=LIBRARY, FAILING_CALLS=str(plan))


def restart_quickly(machine, restarts=1000):
    """A thousand restarts without progress, a hundredth of a second apart."""
    machine.replace_in_config("\nrestart_delay_seconds = 0.05", "\nrestart_delay_seconds = 0.01")
    machine.replace_in_config("longest_restart_delay_seconds = 0.2",
                              f"longest_restart_delay_seconds = 0.01\nmax_restarts = {restarts}")


def mails_of(machine):
    """What was told to whom, without what tells of the disturbance itself."""
    return sorted(machine.rows("SELECT run, kind, key, recipient, state FROM outbox "
                               "WHERE kind NOT IN ('restart', 'warning')"))


class Acknowledged:
    """What the database shows at one moment; everything in it has been promised to last."""

    def __init__(self, machine):
        # One transaction, so that it is one moment.
        path = f"file:{machine.state}/traind.db?mode=ro"
        database = sqlite3.connect(path, uri=True, timeout=10, isolation_level=None)
        try:
            database.execute("BEGIN")
            self.epochs = dict(database.execute(
                "SELECT run || '/' || epoch, step || ' ' || digest FROM epochs"))
            self.metrics = dict(database.execute("SELECT run || '/' || step, loss FROM metrics"))
            self.checkpoints = database.execute(
                "SELECT runs.id, checkpoints.step, file, digest FROM checkpoints JOIN runs USING (run) "
                "WHERE pruned_micros = 0 ORDER BY run, checkpoints.step").fetchall()
            self.mails = dict(database.execute("SELECT file_stem || '/' || recipient, state "
                                               "FROM outbox WHERE kind <> 'restart'"))
            self.sequence = database.execute("SELECT max(sequence) FROM events").fetchone()[0] or 0
            self.runs = dict(database.execute("SELECT run, step FROM runs"))
        finally:
            database.close()

    def newest_checkpoints(self):
        """Run id -> (step, file, digest)."""
        return {run: (step, file, digest) for run, step, file, digest in self.checkpoints}

    def losses(self, later):
        """What `later` lacks of this; empty when all of it lasted."""
        lost = []
        for what in ("epochs", "metrics"):
            now = getattr(later, what)
            for key, value in getattr(self, what).items():
                if now.get(key) != value:
                    lost.append(f"{what} {key} was {value}, is {now.get(key)}")
        for stem, state in self.mails.items():
            if stem not in later.mails:
                lost.append(f"mail {stem} is gone")
            elif state == "sent" and later.mails[stem] != "sent":
                lost.append(f"mail {stem} was sent, is {later.mails[stem]}")
        if later.sequence < self.sequence:
            lost.append(f"events: {self.sequence} were told, {later.sequence} are there")
        return lost

    def lost_files(self, machine):
        """Files that this says are there, and that are not."""
        lost = []
        for run, (step, file, _) in self.newest_checkpoints().items():
            folder = machine.state / "runs" / run / "checkpoints"
            # A newer one, not acknowledged yet, may have taken its place.
            if not any(step_of(path) >= step for path in folder.glob("*.safetensors")):
                lost.append(f"{run}/{file}")
        for stem, state in self.mails.items():
            path = machine.state / "mail" / (stem.rpartition("/")[0] + ".eml")
            if state == "sent" and not path.exists():
                lost.append(path.name)
        return lost


def step_of(path):
    return int(path.name.split("-")[1].split(".")[0])


def kill_all(machine, pids):
    """Ends the daemon and these processes at once, and waits until they are gone."""
    machine.daemon.kill()
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    machine.daemon.wait()
    until("the killed are gone", lambda: not any(map(lives, pids)))
