"""SIGTERM in every phase: what was trained is durable, and the daemon is out within 25 s.

Start-up, corpus, step, validation, checkpoint and mail are made slow enough to be met. The daemon
is terminated there (as systemd does with KillMode=mixed), or its worker alone, or the daemon twice.
Then it is started again, and the end is held against the undisturbed run.
"""

import contextlib
import gzip
import os
import random
import signal
import sys
import time
import unittest

from fault_case import (SOAK, Acknowledged, mails_of, plan_fault, record_soak, restart_quickly,
                        step_of)
from inbox import Inbox, excess_copies, told_epochs, unaccounted
from machine import Machine, MachineTest, lives, until

REPEATS = 17 if SOAK else 1  # six phases: a hundred
OUT_WITHIN = 25
AT_ONCE = 1.0
EPOCHS = 6
# Its words are unpacked anew by each worker, in several pieces.
RUN = {"hidden": 48, "words": 40000, "report": 20, "checkpoint": 30, "epochs": EPOCHS,
       "more": "[decode]\nbeam = 8\n"}
FIGURES = {"terminations": {}, "worst_seconds": {}, "second_signal_worst_seconds": 0,
           "acknowledged_lost": 0}


def tearDownModule():
    record_soak("terminations", FIGURES)


def write_run(machine):
    """A run whose corpus is packed and larger than what is used of it."""
    path = machine.write_run(**RUN)
    words = machine.folder / "words.txt"
    packed = machine.folder / "words.txt.gz"
    if not packed.exists():
        packed.write_bytes(gzip.compress(words.read_bytes(), 1, mtime=0))
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('train = "words.txt"', 'train = "words.txt.gz"\nlimit = 1600'),
                    encoding="utf-8")
    return path


def own_mails(machine, run):
    """As if it were the first run that was ever asked for."""
    position = machine.rows("SELECT queue_position FROM runs WHERE run = ?", run)[0][0]
    return [(kind, key.replace(f"{kind}-{position}", f"{kind}-1") if kind != "epoch" else key,
             state)
            for number, kind, key, _, state in mails_of(machine) if number == run]


class TerminationsTest(MachineTest):
    @classmethod
    def setUpClass(cls):
        cls.quiet = Machine()
        cls.addClassCleanup(cls.quiet.remove)
        cls.quiet.boot()
        cls.quiet.told("start", str(write_run(cls.quiet)))  # beside the others, to be quick

    def setUp(self):
        self.inbox = None

    # What a machine is slow in, and how it is told.

    def slow_machine(self, program, calls, milliseconds, **settings):
        machine = self.machine(**settings)
        restart_quickly(machine)
        self.plan_slowness(machine, program, calls, machine.state, milliseconds)
        return machine

    def plan_slowness(self, machine, program, calls, below, milliseconds):
        """What is started from now on is slow there, as long as the file `slow` exists."""
        plan_fault(machine, f"program {program}", f"under {below}", f"calls {calls}", "from 1",
                   f"do slow {milliseconds}", f"while {machine.folder}/slow",
                   f"log {machine.folder}/hits")

    def hits(self, machine, word):
        """Slow calls so far on a path with this word in it."""
        log = machine.folder / "hits"
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        return sum(word in line for line in lines)

    def begin_run(self, machine):
        machine.told("start", str(write_run(machine)))

    def trains(self, machine, steps=1):
        """Once so many steps are done; another run begins when one is over."""
        progress = self.progress(machine)
        return progress and progress["phase"] == "training" and progress["step"] >= steps

    def progress(self, machine):
        now = machine.status()
        if now["run"]["state"] != "completed":
            return now["progress"]
        self.check_end(machine)
        self.begin_run(machine)
        return None

    # The signal, and what must be true after it.

    def position(self, machine):
        """(run, step): what the newest worker has told, if it has told anything."""
        now = machine.status()
        progress = now["progress"]
        return now["run"]["id"], progress["step"] if progress else 0

    def terminate(self, phase, machine, twice=False):
        """SIGTERM now; returns what was acknowledged before."""
        run, step = self.position(machine)
        before = Acknowledged(machine)
        worker = machine.worker()
        asked = machine.log_text().count("asked to stop")
        begin = time.monotonic()
        machine.signal_daemon(signal.SIGTERM)
        if twice:
            until("the first signal is taken",
                  lambda: machine.log_text().count("asked to stop") > asked)
            begin = time.monotonic()
            with contextlib.suppress(ProcessLookupError):
                machine.signal_daemon(signal.SIGTERM)
        machine.daemon.wait(60)
        took = time.monotonic() - begin
        self.assertEqual(machine.daemon.returncode, 0, machine.log_text())
        if twice:
            self.assertLess(took, AT_ONCE)
            FIGURES["second_signal_worst_seconds"] = max(
                FIGURES["second_signal_worst_seconds"], round(took, 3))
            return before, worker
        self.assertLess(took, OUT_WITHIN)
        self.count(phase, took)
        self.assertFalse(worker and lives(worker), "the worker has ended before its daemon")
        now = Acknowledged(machine)
        self.assertEqual(before.losses(now) + now.lost_files(machine), [])
        self.assertEqual(self.not_durable(now, run, step), [])
        for key, position in before.runs.items():
            self.assertGreaterEqual(now.runs[key], position, "the run stands where it stood")
        self.assertTrue(machine.rows("SELECT min(state IN ('preempted', 'completed')) FROM runs")
                        [0][0], machine.log_text())
        return before, worker

    def count(self, phase, took):
        FIGURES["terminations"][phase] = FIGURES["terminations"].get(phase, 0) + 1
        FIGURES["worst_seconds"][phase] = max(FIGURES["worst_seconds"].get(phase, 0),
                                              round(took, 3))

    def not_durable(self, acknowledged, run, step):
        """What is missing of the steps that were done when the signal came."""
        saved = acknowledged.newest_checkpoints().get(run, (0,))[0]
        return [] if saved >= step else [f"step {step} was done, {saved} is saved"]

    def check_end(self, machine):
        machine.until_state("completed")
        until("the undisturbed run is over", lambda: self.quiet.in_state("completed"))
        self.assertEqual(machine.record(), self.quiet.record())
        if self.inbox is not None:
            return  # it does the account of all mails at the end
        run = machine.rows("SELECT max(run) FROM runs")[0][0]

        def sent():
            return all(row[2] == "sent" for row in own_mails(machine, run))
        until("all mails are sent", sent)
        until("the undisturbed run's mails are sent", lambda: all(
            row[2] == "sent" for row in own_mails(self.quiet, 1)))
        self.assertEqual(own_mails(machine, run), own_mails(self.quiet, 1))

    def finish(self, machine):
        with contextlib.suppress(FileNotFoundError):
            (machine.folder / "slow").unlink()
        if machine.daemon.poll() is not None:
            machine.boot()
        self.check_end(machine)

    # The phases.

    def test_start_up(self):
        machine = self.slow_machine("traind", "create write sync syncdir truncate", 5)
        (machine.folder / "slow").touch()
        for number in range(REPEATS):
            before = self.hits(machine, "traind.db")
            machine.launch()
            until("the database is opened", lambda before=before: self.hits(
                machine, "traind.db") > before + (number * 3 if number % 2 else 0) or
                machine.trainctl("version").returncode == 0)
            begin = time.monotonic()
            machine.signal_daemon(signal.SIGTERM)
            self.assertEqual(machine.daemon.wait(60), 0, machine.log_text())
            self.assertLess(time.monotonic() - begin, OUT_WITHIN)
            self.count("start-up", time.monotonic() - begin)
        (machine.folder / "slow").unlink()
        machine.boot()
        self.begin_run(machine)
        self.finish(machine)

    def test_corpus(self):
        machine = self.machine()
        restart_quickly(machine)
        machine.boot()
        self.begin_run(machine)
        (machine.folder / "slow").touch()
        for _ in range(REPEATS):
            until("a step", lambda: self.trains(machine))
            machine.stop_daemon()
            run = machine.rows("SELECT id FROM runs ORDER BY run DESC")[0][0]
            self.plan_slowness(machine, "traind-worker", "write",
                               machine.state / "runs" / run / "cache", 600)
            before = self.hits(machine, "/cache/")
            machine.boot()
            until("the corpus is unpacked", lambda before=before: self.hits(
                machine, "/cache/") > before)
            self.terminate("corpus" if machine.in_state("starting") else "step", machine)
            machine.boot()
        self.finish(machine)

    def test_step(self):
        machine = self.machine()
        restart_quickly(machine)
        machine.boot()
        self.begin_run(machine)
        moments = random.Random(20261123)
        for _ in range(REPEATS):
            until("a step", lambda: self.trains(machine, moments.randrange(1, 300)))
            self.terminate("step", machine)
            machine.boot()
        self.finish(machine)

    def validates(self, machine):
        progress = self.progress(machine)
        return progress and progress["phase"] == "validating"

    def test_validation(self):
        machine = self.machine()
        restart_quickly(machine)
        machine.boot()
        self.begin_run(machine)
        for _ in range(REPEATS):
            until("a validation", lambda: self.validates(machine))
            self.terminate("validation", machine)
            machine.boot()
        self.finish(machine)

    def slow_checkpoints(self, milliseconds=15, **settings):
        """A machine on which a checkpoint takes above a second."""
        machine = self.slow_machine("traind-worker", "write", milliseconds, **settings)
        machine.boot()
        self.begin_run(machine)
        return machine

    def until_saving(self, machine):
        until("a step", lambda: self.trains(machine))
        (machine.folder / "slow").touch()
        before = self.hits(machine, "/checkpoints/")

        def saves():
            self.progress(machine)
            return self.hits(machine, "/checkpoints/") > before + 3
        until("a checkpoint is written", saves)

    def test_checkpoint(self):
        machine = self.slow_checkpoints()
        for _ in range(REPEATS):
            self.until_saving(machine)
            self.terminate("checkpoint", machine)
            (machine.folder / "slow").unlink()
            machine.boot()
        self.finish(machine)

    @unittest.skipUnless(SOAK, "takes minutes")
    def test_a_checkpoint_that_takes_half_of_the_time_there_is(self):
        """One under way that is not half done is given up for the one of the stop."""
        machine = self.slow_checkpoints(milliseconds=130)
        for _ in range(10):
            self.until_saving(machine)
            self.terminate("long checkpoint", machine)
            (machine.folder / "slow").unlink()
            machine.boot()
        FIGURES["longest_checkpoint_seconds"] = machine.rows(
            "SELECT max(write_seconds) FROM checkpoints")[0][0]
        self.finish(machine)

    def test_mail(self):
        machine = self.machine()
        restart_quickly(machine)
        self.inbox = inbox = Inbox(self, machine.folder)
        settings = inbox.settings().replace("timeout_seconds = 1", "timeout_seconds = 600")
        machine.replace_in_config('transport = "folder"', settings)
        machine.boot()
        self.begin_run(machine)
        plans = random.Random(20261124)
        for _ in range(REPEATS):
            inbox.stop()
            before = len(inbox.events("connected"))
            inbox.start(plans.choice(("silent", "hang auth", "hang data", "hang message")))
            machine.told("mail", "test")
            self.progress(machine)
            until("a mail is on its way",
                  lambda before=before: len(inbox.events("connected")) > before)
            self.terminate("mail", machine)
            inbox.cut()
            machine.boot()
        inbox.stop()
        inbox.start()
        self.finish(machine)
        until("no mail waits", lambda: machine.status()["mails_waiting"] == 0)
        rows = machine.rows("SELECT id, recipient, kind, key, state, folded_into FROM outbox")
        self.assertEqual(unaccounted(rows, inbox.mails()), [])
        self.assertEqual(excess_copies(inbox.mails(), inbox.cuts), [])
        runs = machine.rows("SELECT count(*) FROM runs")[0][0]
        self.assertEqual(sorted(told_epochs(inbox.mails(), "me@example.org")),
                         sorted(runs * list(range(1, EPOCHS + 1))))

    # More than one signal, and not the daemon.

    def test_the_second_signal_ends_at_once(self):
        machine = self.slow_checkpoints(milliseconds=40)
        for number in range(REPEATS):
            self.until_saving(machine)
            before, worker = self.terminate("twice", machine, twice=True)
            self.assertTrue(lives(worker), "it was not waited for")
            if number % 2 == 0:
                os.kill(worker, signal.SIGKILL)  # as systemd does with what is left
            (machine.folder / "slow").unlink()
            machine.boot()
            now = Acknowledged(machine)
            self.assertEqual(before.losses(now) + now.lost_files(machine), [])
        self.finish(machine)

    def test_the_worker_alone(self):
        machine = self.slow_checkpoints()
        for _ in range(REPEATS):
            for phase, arrive in (
                    ("step", lambda: until("a step", lambda: self.trains(machine))),
                    ("validation", lambda: until("validation", lambda: self.validates(machine))),
                    ("checkpoint", lambda: self.until_saving(machine))):
                arrive()
                self.terminate_worker(f"worker in {phase}", machine)
            (machine.folder / "slow").unlink()
        self.finish(machine)

    def terminate_worker(self, phase, machine):
        run, step = self.position(machine)
        restarts = machine.status()["run"]["restarts"]
        worker = machine.worker()
        if worker is None:
            return  # its own end came first
        begin = time.monotonic()
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGTERM)
        until("the worker ends", lambda: not lives(worker), 60)
        took = time.monotonic() - begin
        self.assertLess(took, OUT_WITHIN)
        self.count(phase, took)
        until("it is taken note of", lambda: machine.in_state("completed") or
              machine.status()["run"]["restarts"] > restarts)
        self.assertEqual(self.not_durable(Acknowledged(machine), run, step), [])

    # Nobody answers.

    def test_what_hangs_at_the_start_is_not_waited_for(self):
        machine = self.machine()
        plan_fault(machine, "program traind-worker", f"under {machine.state}/runs", "calls write",
                   "from 1", "do hang", f"while {machine.folder}/armed",
                   f"log {machine.folder}/hits")
        machine.boot()
        self.begin_run(machine)
        until("a step", lambda: self.trains(machine, 40))
        machine.stop_daemon()
        (machine.folder / "armed").touch()
        machine.boot()
        until("the corpus hangs", lambda: self.hits(machine, "/cache/"))
        self.terminate("start that hangs", machine)
        (machine.folder / "armed").unlink()
        machine.boot()
        self.finish(machine)

    def test_a_worker_that_does_not_answer_is_killed_and_that_is_seen(self):
        """Also the planted fault: what the other tests take for durable is then not there."""
        machine = self.machine(worker="stop_timeout_seconds = 1")
        machine.boot()
        self.begin_run(machine)
        until("a step", lambda: self.trains(machine, 20))
        worker = machine.worker()
        run, step = until("steps beyond the newest checkpoint",
                          lambda: self.stopped_beyond_the_newest(machine, worker))
        before = Acknowledged(machine)
        machine.stop_daemon()
        self.assertFalse(lives(worker))
        now = Acknowledged(machine)
        self.assertEqual(before.losses(now), [])
        self.assertNotEqual(self.not_durable(now, run, step), [])
        machine.boot()
        self.finish(machine)

    def stopped_beyond_the_newest(self, machine, worker):
        """Stops the worker; lets it go on, and is None, when all its steps are saved."""
        os.kill(worker, signal.SIGSTOP)
        run, step = self.position(machine)
        files = (machine.state / "runs" / run / "checkpoints").glob("*.safetensors")
        if max(map(step_of, files), default=0) < step:
            return run, step
        os.kill(worker, signal.SIGCONT)
        return None


if __name__ == "__main__":
    sys.exit(unittest.main())
