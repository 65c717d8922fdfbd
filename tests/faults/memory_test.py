"""Out of memory: the kernel kills the worker or the daemon, or the system gives a worker no more.

A memory cgroup of version 1 or 2 is filled by somebody else until the kernel has taken whom the
test means (memory_hog.py); that takes root, and a machine that lets us make cgroups. Nothing that was
acknowledged may be lost, at most one checkpoint interval is done again, and the end is the
undisturbed one.
"""

import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import memory_hog
from fault_case import SOAK, TINY, Acknowledged, record_soak, restart_quickly, step_of
from machine import WORKER, Machine, MachineTest, lives, until

LIMIT = 192 << 20
KILLS = 50 if SOAK else 3
# Large enough that its death makes room for the daemon, which starts the next one.
RUN = dict(TINY, hidden=128)
EPOCHS = 400 if SOAK else 20
BELOW_WORKERS = 400  # who has this mark is taken after a worker and before a daemon
FIGURES = {}


def memory_cgroups():
    """(folder to make cgroups in, name of the limit's file), or nothing and why."""
    if os.geteuid() != 0:
        return None, "it takes root"
    found = "the kernel has no memory controller here"
    for line in pathlib.Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        fields, _, kind = line.partition(" - ")
        words, kind = fields.split(), kind.split()
        folder = pathlib.Path(words[4])
        if kind[0] == "cgroup2":
            files = folder / "cgroup.subtree_control"
            limit = "memory.max"
            if "memory" not in files.read_text(encoding="utf-8").split():
                continue
        elif kind[0] == "cgroup" and "memory" in kind[2].split(","):
            limit = "memory.limit_in_bytes"
        else:
            continue
        try:
            trial = pathlib.Path(tempfile.mkdtemp(prefix="traind-test-", dir=folder))
            there = (trial / limit).exists()
            trial.rmdir()
            if there:
                return (folder, limit), None
        except OSError as error:
            found = f"{folder}: {error.strerror}"
    return None, found


PLACE, WHY_NOT = memory_cgroups()


class Cgroup:
    """A machine's daemon, and with it all workers that it starts, under one limit."""

    def __init__(self, case):
        folder, limit = PLACE
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="traind-test-", dir=folder))
        case.addCleanup(lambda: until("the cgroup is empty", self.remove))
        (self.folder / limit).write_text(str(LIMIT), encoding="utf-8")

    def remove(self):
        try:
            self.folder.rmdir()
            return True
        except OSError:
            return False

    def take(self, pid):
        (self.folder / "cgroup.procs").write_text(str(pid), encoding="utf-8")

    def starve(self, *pids, mark=0):
        """Until one of these processes is dead; memory_hog.py tells what the mark is."""
        result = subprocess.run(
            [sys.executable, memory_hog.__file__, str(mark), self.folder, *map(str, pids)],
            capture_output=True, text=True, timeout=60, check=False)
        # It may go down with them.
        assert not all(map(lives, pids)), f"{result.returncode}: {result.stderr}"


@unittest.skipIf(PLACE is None, f"no memory cgroup: {WHY_NOT}")
class KilledForMemoryTest(MachineTest):
    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(lambda: record_soak("memory", FIGURES))
        machine = Machine()
        cls.addClassCleanup(machine.remove)
        machine.boot().start_run(epochs=EPOCHS, **RUN)
        machine.until_state("completed")
        cls.undisturbed = machine.record()

    def limited_machine(self):
        cgroup = Cgroup(self)  # outlives all that is in it
        machine = self.machine()
        restart_quickly(machine)
        machine.boot()
        cgroup.take(machine.daemon.pid)
        return machine, cgroup

    def test_the_kernel_takes_the_worker_and_the_daemon_goes_on(self):
        machine, cgroup = self.limited_machine()
        machine.start_run(epochs=EPOCHS, **RUN)
        repeated, waits = [], []
        for _ in range(KILLS):
            worker = self.stop_worker(machine)
            starts = len(self.starts(machine))
            before = Acknowledged(machine)
            reached = machine.step()
            begin = time.monotonic()
            cgroup.starve(worker, mark=BELOW_WORKERS)
            self.assertIsNone(machine.daemon.poll(), "the daemon was taken instead")
            until("it trains again", lambda s=starts: len(self.starts(machine)) > s)
            waits.append(time.monotonic() - begin)
            self.assertEqual(before.losses(Acknowledged(machine)), [])
            repeated.append(max(0, reached - self.starts(machine)[-1]))
            # One interval, and what is done while the checkpoint at its end is written.
            self.assertLessEqual(repeated[-1], 2 * TINY["checkpoint"])
        machine.until_state("completed")
        self.assertEqual(machine.record(), self.undisturbed)
        reasons = [text for (text,) in machine.rows("SELECT text FROM events WHERE kind = 'state'")
                   if "signal 9" in text]
        self.assertGreaterEqual(len(reasons), KILLS)
        self.assertEqual([text for text in reasons if "the kernel was out of memory" not in text],
                         [])
        self.assertNotIn("quarantined", "".join(reasons))
        FIGURES["worker"] = {"kills": KILLS, "daemons_lost": 0, "lost": 0,
                             "most_steps_repeated": max(repeated),
                             "checkpoint_every": TINY["checkpoint"],
                             "seconds_until_it_trains_again": [min(waits), max(waits)]}

    def stop_worker(self, machine):
        """In the middle of the run, after a checkpoint that the last worker has not seen; its id."""
        before = step_of_newest(machine)
        worker = machine.until_worker()
        until("it saves", lambda: step_of_newest(machine) > before)
        # So that the run does not end while its memory runs out.
        os.kill(worker, signal.SIGSTOP)
        return worker

    def starts(self, machine):
        """The steps from which workers have gone on, in order; -1 = from nothing."""
        found = []
        for (text,) in machine.rows(
                "SELECT text FROM events WHERE kind = 'started' ORDER BY sequence"):
            name = re.search(r"checkpoint-(\d+)", text)
            found.append(int(name.group(1)) if name else -1)
        return found

    def test_a_daemon_that_is_taken_costs_one_checkpoint_interval_at_most(self):
        machine, cgroup = self.limited_machine()
        machine.start_run(epochs=EPOCHS, **RUN)
        for _ in range(KILLS // 2):
            self.stop_worker(machine)
            before = Acknowledged(machine)
            # Workers are taken first, one after another.
            cgroup.starve(machine.daemon.pid)
            self.assertEqual(machine.daemon.wait(), -signal.SIGKILL)
            machine.boot()
            cgroup.take(machine.daemon.pid)
            self.assertEqual(before.losses(Acknowledged(machine)), [])
            self.assertEqual(before.lost_files(machine), [])
        machine.until_state("completed")
        self.assertEqual(machine.record(), self.undisturbed)
        FIGURES["daemon"] = {"kills": KILLS // 2, "lost": 0}

    def test_it_is_by_our_doing_that_the_kernel_takes_the_worker(self):
        """With the daemon marked as it marks its workers it dies: the first test would see it."""
        machine, cgroup = self.limited_machine()
        machine.start_run(epochs=100 * EPOCHS, **RUN)
        worker = self.stop_worker(machine)
        own, others = (int(pathlib.Path(f"/proc/{pid}/oom_score_adj").read_text(encoding="utf-8"))
                       for pid in (machine.daemon.pid, worker))
        self.assertEqual(others, min(own + 500, 1000))
        mark = pathlib.Path(f"/proc/{machine.daemon.pid}/oom_score_adj")
        mark.write_text("1000", encoding="utf-8")
        cgroup.starve(machine.daemon.pid, worker, mark=BELOW_WORKERS)
        self.assertEqual(machine.daemon.wait(10), -signal.SIGKILL)


def step_of_newest(machine):
    steps = [step_of(path) for path in
             (machine.state / "runs").glob("*/checkpoints/*.safetensors")]
    return max(steps, default=-1)


class RefusedMemoryTest(MachineTest):
    """A limit on address space: malloc and mmap fail, nobody is killed."""

    def limited_worker(self, machine, only="run"):
        """Workers get as many KiB of address space as the file "kib" says."""
        program = machine.folder / "limited-worker"
        program.write_text(
            f'#!/bin/sh\n[ "$1" != {only} ] || ulimit -v "$(cat {machine.folder}/kib)"\n'
            f'exec {shlex.quote(WORKER)} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
        machine.replace_in_config(f'program = "{WORKER}"', f'program = "{program}"')

    def limit(self, machine, kib):
        (machine.folder / "kib").write_text(f"{kib}\n", encoding="utf-8")

    def least_for_a_worker(self, machine):
        """What it takes to say --version, in KiB."""
        low, high = 1 << 10, 1 << 21
        while high - low > 512:
            kib = (low + high) // 2
            result = subprocess.run(["/bin/sh", "-c", f"ulimit -v {kib}; exec {WORKER} --version"],
                                    capture_output=True, check=False)
            low, high = (low, kib) if result.returncode == 0 else (kib, high)
        return high

    def test_a_worker_that_gets_no_memory_says_so_wherever_it_happens(self):
        machine = self.machine()
        self.limited_worker(machine)
        machine.replace_in_config("[worker]", "[worker]\nmax_restarts = 0")
        self.limit(machine, "unlimited")
        machine.boot()
        run = dict(TINY, hidden=64)
        machine.start_run(epochs=1, **run)
        machine.until_state("completed")
        least = self.least_for_a_worker(machine)
        kib = least
        reasons = []
        while True:
            name = f"limited-{kib}"
            self.limit(machine, kib)
            machine.start_run(name=name, epochs=1, **run)
            until("it has ended", lambda n=name: machine.in_state("completed", "failed", run=n))
            now = machine.status(name)["run"]
            if now["state"] == "completed":
                break
            reasons.append(now["reason"])
            kib += 4096 if not SOAK else 512
        self.assertGreaterEqual(len(reasons), 3)
        silent = [reason for reason in reasons
                  if "memory" not in reason or "signal" in reason]
        self.assertEqual(silent, [])
        FIGURES["refused"] = {"limits_kib": [least, kib], "failures": len(reasons),
                              "reasons": sorted(set(reasons))}

    def test_a_want_of_memory_is_no_fault_of_the_checkpoint(self):
        machine = self.machine()
        self.limited_worker(machine)
        self.limit(machine, "unlimited")
        machine.boot()
        machine.start_run(epochs=100, **TINY)
        machine.until_checkpoint(-1)
        self.assertEqual(machine.trainctl("stop", "--wait").returncode, 0)
        files = self.checkpoints(machine)
        self.limit(machine, self.least_for_a_worker(machine) + 1024)
        machine.told("resume", "tiny")
        self.assertEqual(machine.trainctl("wait", "tiny").returncode, 7)
        reason = machine.status()["run"]["reason"]
        self.assertIn("out of memory", reason)
        self.assertIn("given up after 5 restarts", reason)
        self.assertEqual(self.checkpoints(machine), files)
        until("the failure is mailed", lambda: any(
            "out of memory" in mail.replace("=\n", "") for name, mail in machine.mails().items()
            if "failure" in name))
        self.limit(machine, "unlimited")
        machine.told("resume", "tiny")
        machine.until_state("running")

    def checkpoints(self, machine):
        return {path.name: path.read_bytes()
                for path in (machine.state / "runs").glob("*/checkpoints/*")}

    def test_a_corpus_that_does_not_fit_is_refused_at_the_start(self):
        machine = self.machine()
        self.limited_worker(machine, only="check")
        self.limit(machine, self.least_for_a_worker(machine))
        machine.boot()
        result = machine.trainctl("start", str(machine.write_run(words=200_000)))
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertRegex(result.stderr, "out of memory|Cannot allocate memory")
        self.assertEqual(machine.rows("SELECT count(*) FROM runs"), [(0,)])


if __name__ == "__main__":
    unittest.main()
