"""kill -9 wherever it hurts: at every call that changes a file, and at random moments.

The worker, the daemon, or both are killed while a run trains, and started again. What the database
has acknowledged is held against what it shows later, after each kill; the end is held against the
undisturbed run: digest, every metric, epoch and sample to the last bit, and the mails.
"""

import contextlib
import os
import random
import signal
import time
import unittest

from fault_case import (SOAK, TINY, Acknowledged, kill_all, mails_of, plan_fault, record_soak,
                        restart_quickly)
from machine import Machine, MachineTest, children_of, until

KILLS = 250 if SOAK else 6  # of each of four kinds
EPOCHS = 40 if SOAK else 12
# A call of its own for each tensor: killed within them one is as good as the other.
DURABLE_STEPS = "calls create sync syncdir rename remove truncate mkdir"


def own_mails(machine, run):
    """A run's mails, as if it were the first that was ever asked for."""
    position = machine.rows("SELECT queue_position FROM runs WHERE run = ?", run)[0][0]
    return [(kind, key.replace(f"{kind}-{position}", f"{kind}-1") if kind != "epoch" else key,
             recipient, state)
            for number, kind, key, recipient, state in mails_of(machine) if number == run]


class KillsTest(MachineTest):
    @classmethod
    def setUpClass(cls):
        machine = Machine()
        cls.addClassCleanup(machine.remove)
        machine.boot().start_run(epochs=EPOCHS, **TINY)
        machine.until_state("completed")
        cls.undisturbed = machine.record()
        until("all mails are sent", lambda: all(row[4] == "sent" for row in mails_of(machine)))
        cls.undisturbed_mails = own_mails(machine, 1)
        cls.figures = {"kills": {}, "acknowledged_epochs_lost": 0, "rows_doubled": 0}
        cls.addClassCleanup(lambda: record_soak("kills", cls.figures))

    def setUp(self):
        self.kills = 0
        self.runs = 0
        self.seen = None

    def busy_machine(self):
        machine = self.machine()
        restart_quickly(machine)
        machine.boot()
        self.begin_run(machine)
        return machine

    def begin_run(self, machine):
        machine.start_run(epochs=EPOCHS, **TINY)
        self.runs += 1

    def look(self, machine):
        """What is acknowledged now; fails when something that was is not any more."""
        now = Acknowledged(machine)
        if self.seen is not None:
            self.assertEqual(self.seen.losses(now), [])
        self.assertEqual(now.lost_files(machine), [])
        self.seen = now

    def check_end(self, machine):
        """The run that is completed is the undisturbed one, and everybody was told of it once."""
        self.assertEqual(machine.record(), self.undisturbed)
        key = machine.rows("SELECT max(run) FROM runs")[0][0]

        def mails():
            return own_mails(machine, key)
        until("all mails are sent", lambda: all(row[3] == "sent" for row in mails()))
        self.assertEqual(mails(), self.undisturbed_mails)
        told = machine.rows("SELECT count(*) FROM outbox WHERE state = 'sent'")[0][0]
        self.assertEqual(len(machine.mails()), told, "one file for one mail")
        self.look(machine)

    def complete(self, machine, kind):
        """Nothing is killed any more; the run comes to its end."""
        if machine.daemon.poll() is not None:
            machine.boot()
        machine.until_state("completed")
        self.check_end(machine)
        self.figures["kills"][kind] = self.kills
        self.figures["runs"] = self.figures.get("runs", 0) + self.runs

    def arm(self, machine, program, *lines):
        """The n-th process that is started from now on dies at its n-th call."""
        (machine.folder / "next").write_text("1\n", encoding="utf-8")
        plan_fault(machine, f"program {program}", f"under {machine.state}", "do kill",
                   f"next {machine.folder}/next", f"while {machine.folder}/armed",
                   f"log {machine.folder}/kills", *lines)

    def hits(self, machine):
        log = machine.folder / "kills"
        if not log.exists():
            return 0
        return sum(not line.endswith(" end ") for line in
                   log.read_text(encoding="utf-8").splitlines())

    def kill_workers_at_every_call(self, kind, *lines):
        machine = self.machine()
        restart_quickly(machine)
        self.arm(machine, "traind-worker", *lines)
        machine.boot()
        self.begin_run(machine)
        armed = machine.folder / "armed"
        armed.touch()
        # The first is beyond its first call already, or will be when it is killed.
        worker = machine.worker()
        if worker:
            # Its own end may come first.
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        while self.hits(machine) < KILLS:
            self.look(machine)
            if machine.in_state("completed"):
                self.check_end(machine)
                armed.unlink()  # the check before a start is a worker too
                self.begin_run(machine)
                armed.touch()
        armed.unlink()
        self.kills = self.hits(machine)
        self.complete(machine, kind)

    def test_the_worker_at_every_durable_step(self):
        self.kill_workers_at_every_call("worker_at_every_durable_step", DURABLE_STEPS)

    def test_the_worker_at_every_call_that_changes_a_file(self):
        self.kill_workers_at_every_call("worker_at_every_call")

    def test_the_daemon_at_every_call_that_changes_a_file(self):
        machine = self.busy_machine()
        self.arm(machine, "traind")
        armed = machine.folder / "armed"
        armed.touch()
        machine.kill_daemon()
        while self.kills < KILLS:
            self.look(machine)
            machine.launch()
            until("the daemon is killed or has nothing to do",
                  lambda: machine.daemon.poll() is not None or self.is_over(machine))
            if machine.daemon.poll() is None:
                machine.until_state("completed")
                self.check_end(machine)
                armed.unlink()
                self.begin_run(machine)
                armed.touch()
                continue
            self.assertEqual(machine.daemon.returncode, -signal.SIGKILL, machine.log_text())
            self.kills += 1
        self.assertEqual(self.hits(machine), self.kills)
        armed.unlink()
        self.complete(machine, "daemon_at_every_call")

    def is_over(self, machine):
        return machine.rows("SELECT 1 FROM runs GROUP BY 1 HAVING "
                            "max(state <> 'completed') = 0 AND NOT EXISTS "
                            "(SELECT 1 FROM outbox WHERE state = 'waiting')")

    def test_worker_and_daemon_at_random_moments(self):
        machine = self.busy_machine()
        moments = random.Random(20261122)
        while self.kills < KILLS:
            time.sleep(moments.uniform(0, 0.25))
            self.look(machine)
            worker = machine.worker()
            whom = moments.choice(("worker", "daemon", "both"))
            if whom == "worker":
                if worker is None:
                    continue
                try:
                    os.kill(worker, signal.SIGKILL)
                except ProcessLookupError:
                    continue  # its own end came first
            else:
                pids = list(children_of(machine.daemon.pid)) if whom == "both" else []
                kill_all(machine, pids)
                self.look(machine)
                machine.boot()
            self.kills += 1
            if machine.in_state("completed"):
                self.check_end(machine)
                self.begin_run(machine)
        self.complete(machine, "random_moments")


class MutantTest(MachineTest):
    """The same look finds a worker that says it has saved and has not."""

    def test_a_rename_that_never_happens_is_seen(self):
        machine = self.machine()
        plan_fault(machine, "program traind-worker", f"under {machine.state}/runs",
                   "calls rename", "from 1", "do lie")
        machine.boot()
        machine.start_run(epochs=1, **TINY)
        until("a checkpoint is acknowledged", lambda: Acknowledged(machine).checkpoints)
        self.assertNotEqual(Acknowledged(machine).lost_files(machine), [])


if __name__ == "__main__":
    unittest.main()
