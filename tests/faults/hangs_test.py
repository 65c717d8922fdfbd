"""What hangs is found and started again; what is slow is left alone.

The whole worker is stopped, or its training thread alone, or the thread that writes checkpoints in
the middle of a call. The end is held against the undisturbed run. Then the opposite, which must
trip nothing: a checkpoint that takes several times the stall timeout, a validation that does, and a
mail server that keeps silent. Minutes are seconds here: the stall timeout is two of them.
"""

import contextlib
import ctypes
import os
import pathlib
import signal
import socket
import sys
import threading
import time
import unittest

from fault_case import SOAK, mails_of, plan_fault, record_soak, restart_quickly
from inbox import Inbox, excess_copies, unaccounted
from machine import Machine, MachineTest, lives, until

STALL = 2
WATCHDOG = 3  # systemd's, of the daemon
HANGS = 20 if SOAK else 1  # of each kind
# Of the checkpoint's writer: the call that never returns.
CALLS = ("write", "sync", "rename", "syncdir", "remove") if SOAK else ("write", "sync")
# An epoch is some seconds long, so that steps can go on beside a checkpoint.
LONG = {"hidden": 96, "words": 72000, "report": 100, "checkpoint": 60, "epochs": 1}
PTRACE_SEIZE, PTRACE_INTERRUPT = 0x4206, 0x4207
ANY_CHILD = 0x40000000  # __WALL
FIGURES = {"stall_timeout_seconds": STALL, "hangs": {}, "worst_seconds_to_next_worker": {},
           "false_alarms": 0, "stray_processes": 0}


def tearDownModule():
    record_soak("hangs", FIGURES)


def ptrace(request, thread):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.restype = ctypes.c_long
    libc.ptrace.argtypes = [ctypes.c_long] * 4
    if libc.ptrace(request, thread, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"ptrace: {os.strerror(ctypes.get_errno())}")


def processes_of(machine):
    """Command lines of all that works in the machine's folder."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or not lives(int(entry.name)):
            continue
        with contextlib.suppress(OSError):
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if str(machine.folder) in line and int(entry.name) != os.getpid():
                found.append(line)
    return found


def own_mails(machine):
    """Without those of other runs' places in the queue."""
    return [(kind, recipient, state) for _, kind, _, recipient, state in mails_of(machine)]


class Systemd:
    """The other end of $NOTIFY_SOCKET: when the daemon said that it is alive."""

    def __init__(self, case, machine):
        self.alive = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = machine.folder / "notify"
        self.socket.bind(str(path))
        machine.environment.update(NOTIFY_SOCKET=str(path), WATCHDOG_USEC=str(WATCHDOG * 1_000_000))
        thread = threading.Thread(target=self.listen, daemon=True)
        thread.start()

        def close():
            self.socket.shutdown(socket.SHUT_RDWR)
            thread.join()
            self.socket.close()
        case.addCleanup(close)

    def listen(self):
        while True:
            words = self.socket.recv(4096)
            if not words:
                return
            if b"WATCHDOG=1" in words:
                self.alive.append(time.monotonic())

    def longest_silence(self):
        """Seconds; 0 in a build without systemd's library."""
        gaps = [after - before for before, after in zip(self.alive, self.alive[1:])]
        return max(gaps, default=0)


class HangsTest(MachineTest):
    @classmethod
    def setUpClass(cls):
        cls.quiet = Machine()
        cls.addClassCleanup(cls.quiet.remove)
        cls.quiet.boot().start_run(**LONG)  # beside the others, to be quick

    def hanging_machine(self, call="write"):
        machine = self.machine(worker=f"stall_timeout_seconds = {STALL}")
        restart_quickly(machine)
        self.plan_hang(machine, call)
        machine.boot()
        return machine

    def plan_hang(self, machine, call):
        """The next worker's checkpoint writer hangs in this call, once `armed` is there."""
        plan_fault(machine, "program traind-worker", f"under {machine.state}/runs",
                   f"calls {call}", "from 1", "do hang", f"while {machine.folder}/armed",
                   f"log {machine.folder}/hits")

    def next_hang(self, machine, saved):
        """Waits until the run has made progress; begins another one where it is over."""
        def busy():
            now = machine.status()
            if now["run"]["state"] == "completed":
                self.check_end(machine)
                machine.start_run(**LONG)
                return False
            checkpoint = now["checkpoint"]
            known = (now["run"]["id"], checkpoint["step"]) if checkpoint else None
            progress = now["progress"]
            # Not so near to its end that a quick machine comes there within the stall timeout, and
            # waits for the checkpoint in silence.
            left = progress and progress["batch"] < progress["batches"] / 2
            return left and known and known != saved and known
        return until("the run makes progress", busy)

    def found(self, kind, machine, begin, reap=lambda: None):
        """Waits until the hang that began then is found and the next worker is at work."""
        restarts = machine.status()["run"]["restarts"]
        old = machine.worker()

        def started_again():
            reap()
            return machine.status()["run"]["restarts"] > restarts
        until("the hang is found", started_again, STALL + 20)
        until("the next worker", machine.worker)
        took = time.monotonic() - begin
        self.assertLess(took, STALL + 10)
        self.assertGreater(took, STALL - 0.5, "before that it is no hang")
        self.assertFalse(lives(old), "a worker that hangs is killed")
        hangs = FIGURES["hangs"]
        hangs[kind] = hangs.get(kind, 0) + 1
        worst = FIGURES["worst_seconds_to_next_worker"]
        worst[kind] = max(worst.get(kind, 0), round(took, 3))

    def reasons(self, machine):
        return [text for (text,) in machine.rows(
            "SELECT text FROM events WHERE kind = 'state' AND text LIKE '%is killed%' "
            "ORDER BY sequence")]

    def check_end(self, machine):
        machine.until_state("completed")
        until("the undisturbed run is over", lambda: self.quiet.in_state("completed"))
        self.assertEqual(machine.record(), self.quiet.record())

    def finish(self, machine, hangs):
        self.check_end(machine)
        restarts = machine.rows("SELECT sum(restarts) FROM runs")[0][0]
        self.assertEqual(restarts, hangs, "no alarm but for what hung")

        def all_sent(machine):
            return all(state == "sent" for _, _, state in own_mails(machine))
        until("all mails are sent", lambda: all_sent(machine) and all_sent(self.quiet))
        runs = machine.rows("SELECT count(*) FROM runs")[0][0]
        self.assertEqual(sorted(own_mails(machine)), sorted(runs * own_mails(self.quiet)))
        machine.stop_daemon()
        self.assertEqual(processes_of(machine), [], "nothing is left behind")

    def test_a_worker_that_is_stopped_and_a_training_thread_that_hangs(self):
        machine = self.hanging_machine()
        machine.start_run(**LONG)
        saved = None
        for number in range(2 * HANGS):
            saved = self.next_hang(machine, saved)
            if number % 2 == 0:
                self.stop_worker(machine)
            else:
                self.hold_training_thread(machine)
            self.assertIn("no sign of life for 2 s", self.reasons(machine)[-1])
        self.finish(machine, 2 * HANGS)

    def stop_worker(self, machine):
        begin = time.monotonic()
        os.kill(machine.until_worker(), signal.SIGSTOP)
        self.found("worker stopped", machine, begin)

    def hold_training_thread(self, machine):
        """The others live on, and none of them may speak for it."""
        worker = machine.until_worker()
        try:
            ptrace(PTRACE_SEIZE, worker)
        except PermissionError as error:
            self.skipTest(f"no thread can be held here: {error}")
        begin = time.monotonic()
        ptrace(PTRACE_INTERRUPT, worker)  # its first thread is the one that trains
        os.waitpid(worker, ANY_CHILD)
        self.assertGreater(len(os.listdir(f"/proc/{worker}/task")), 1)

        def reap():
            with contextlib.suppress(ChildProcessError):
                os.waitpid(worker, ANY_CHILD | os.WNOHANG)
        self.found("training thread", machine, begin, reap)

    def test_a_checkpoint_writer_that_hangs_while_steps_go_on(self):
        machine = self.hanging_machine(CALLS[0])
        machine.start_run(**LONG)
        saved = None
        kinds = [call for call in CALLS for _ in range(max(1, HANGS // 4))]
        for number, call in enumerate(kinds):
            saved = self.next_hang(machine, saved)
            before = self.hits(machine)
            (machine.folder / "armed").touch()
            until("a checkpoint hangs", lambda before=before: self.hits(machine) > before)
            begin = time.monotonic()
            (machine.folder / "armed").unlink()
            self.plan_hang(machine, kinds[(number + 1) % len(kinds)])
            step = machine.step()
            until("steps go on", lambda step=step: machine.step() > step, STALL)
            self.found(f"checkpoint in {call}", machine, begin)
            self.assertIn("the checkpoint under way has not moved for 2 s",
                          self.reasons(machine)[-1])
        self.finish(machine, len(kinds))

    def hits(self, machine):
        log = machine.folder / "hits"
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        return sum(not line.endswith(" end ") for line in lines)


# Half of the lines are held out: some seconds of beam search, batch after batch.
SLOW_TO_VALIDATE = {"hidden": 128, "words": 6400, "report": 40, "checkpoint": 80, "epochs": 1,
                    "more": "[decode]\nbeam = 64\n"}


def start_slow_to_validate(machine):
    path = machine.write_run(**SLOW_TO_VALIDATE)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("valid_fraction = 0.1", "valid_fraction = 0.5"), encoding="utf-8")
    machine.told("start", str(path))


class SlowIsNoHangTest(MachineTest):
    def test_checkpoints_validation_and_mail_server_may_take_their_time(self):
        quiet = self.machine(mail='transport = "none"').boot()
        start_slow_to_validate(quiet)
        machine = self.machine(worker=f"stall_timeout_seconds = {STALL}")
        inbox = Inbox(self, machine.folder)
        inbox.plan.write_text("silent\n", encoding="utf-8")
        settings = inbox.settings().replace("timeout_seconds = 1", "timeout_seconds = 600")
        machine.replace_in_config('transport = "folder"', settings)
        systemd = Systemd(self, machine)
        milliseconds = 400 if SOAK else 50
        plan_fault(machine, "program traind-worker", f"under {machine.state}/runs",
                   "calls write", "from 1", f"do slow {milliseconds}",
                   f"while {machine.folder}/slow")
        machine.boot()
        (machine.folder / "slow").touch()
        start_slow_to_validate(machine)
        validation = self.watch_to_the_end(machine)
        self.assertGreater(validation, 1.25 * STALL, "too short to mean anything")
        checkpoint = machine.rows("SELECT max(write_seconds) FROM checkpoints")[0][0]
        self.assertGreater(checkpoint, WATCHDOG, "too short to mean anything")
        self.assertEqual(machine.status()["run"]["restarts"], 0, machine.log_text())
        self.assertEqual(inbox.events("stored"), [])
        self.assertLess(systemd.longest_silence(), WATCHDOG, "systemd would have killed the daemon")
        until("the undisturbed run is over", lambda: quiet.in_state("completed"))
        self.assertEqual(machine.record(), quiet.record())
        self.all_mails_come(machine, inbox)
        FIGURES.update(longest_checkpoint_seconds=round(checkpoint, 3),
                       longest_validation_seconds=round(validation, 3),
                       longest_silence_to_systemd_seconds=round(systemd.longest_silence(), 3))

    def watch_to_the_end(self, machine):
        """The longest validation that was seen, in seconds."""
        longest, begin = 0, None

        def is_over():
            nonlocal longest, begin
            now = machine.status()
            progress = now["progress"]
            if progress and progress["phase"] == "validating":
                begin = begin or time.monotonic()
                longest = max(longest, time.monotonic() - begin)
            else:
                begin = None
            return now["run"]["state"] in ("completed", "failed")
        until("the run is over", is_over, 600)
        self.assertTrue(machine.in_state("completed"), machine.log_text())
        return longest

    def all_mails_come(self, machine, inbox):
        """The connection that is waited for breaks, and the server talks again."""
        inbox.stop()
        inbox.start()
        until("no mail waits", lambda: machine.status()["mails_waiting"] == 0)
        rows = machine.rows("SELECT id, recipient, kind, key, state, folded_into FROM outbox")
        self.assertEqual(unaccounted(rows, inbox.mails()), [])
        self.assertEqual(excess_copies(inbox.mails(), []), [])

    def test_a_checkpoint_in_which_nothing_moves_for_too_long_is_one(self):
        """The planted fault that shows that the test above would see a false alarm."""
        machine = self.machine(worker=f"stall_timeout_seconds = {STALL / 4}")
        plan_fault(machine, "program traind-worker", f"under {machine.state}/runs",
                   "calls write", "at 3", f"do slow {STALL * 1000}",
                   f"while {machine.folder}/slow")
        machine.boot()
        (machine.folder / "slow").touch()
        machine.start_run(**{**LONG, "checkpoint": 20})
        machine.until_restart(1)
        self.assertIn("the checkpoint under way has not moved", machine.log_text())


if __name__ == "__main__":
    sys.exit(unittest.main())
