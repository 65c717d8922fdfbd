"""A disk that fails, fills or turns read-only under the real programs.

Each call that changes a file fails once, in turn, in the worker and in the daemon; and real small
disks run out of bytes and of names, become read-only, or allow no large file. Whatever happens,
training goes on or waits as its run file says, everything comes right by itself, and the run ends
with the same weights, rows, epochs and mails as one that nothing ever happened to.
"""

import collections
import concurrent.futures
import contextlib
import ctypes
import errno
import os
import pathlib
import random
import resource
import threading
import time
import unittest

from fault_case import SOAK, plan_fault, record_soak
from machine import Machine, MachineTest, until

RUN = {"epochs": 2, "hidden": 8, "words": 320, "checkpoint": 7, "report": 4}
MAIL = 'transport = "folder"\nretry_first_seconds = 0.05\nretry_longest_seconds = 0.2'
FAULTS = ("ENOSPC", "EIO", "short", "EROFS")
CLONE_NEWNS = 0x00020000
MS_RDONLY, MS_REMOUNT, MS_REC, MS_PRIVATE, MNT_DETACH = 1, 32, 16384, 1 << 18, 2
LIBC = ctypes.CDLL(None, use_errno=True)
FIGURES = {}


def own_mounts():
    """From now on what this process mounts is seen by it and its children alone."""
    if LIBC.unshare(CLONE_NEWNS) != 0:
        return False
    return LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) == 0


MAY_MOUNT = own_mounts()


def mount(folder, flags, options):
    if LIBC.mount(b"tmpfs", bytes(folder), b"tmpfs", flags, options.encode()) != 0:
        raise OSError(ctypes.get_errno(), f"mount {options} on {folder}")


def with_on_error(path, word):
    """The run file, with that word for checkpoint.on_error."""
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("[report]", f'on_error = "{word}"\n[report]'), encoding="utf-8")
    return str(path)


def start(machine, name="tiny", on_error="continue", **settings):
    machine.told("start", with_on_error(machine.write_run(name=name, **{**RUN, **settings}),
                                        on_error))


def truth(machine, run="tiny"):
    """All that must be the same whatever the disk did: the record, and who was told what."""
    record = machine.record(run)
    record["mails"] = machine.rows(
        "SELECT outbox.kind, subject FROM outbox JOIN runs USING (run) WHERE runs.name = ? AND "
        "outbox.kind NOT IN ('warning', 'restart') ORDER BY outbox.id", run)
    # A run's name and its times are its own.
    record["mails"] = [(kind, subject.replace(run, "RUN")) for kind, subject in record["mails"]]
    return record


def missing_files(machine):
    """Checkpoints that the database says are there, and that are not."""
    return [file for run, file in machine.rows(
        "SELECT runs.id, file FROM checkpoints JOIN runs USING (run) WHERE pruned_micros = 0")
            if not (machine.state / "runs" / run / "checkpoints" / file).exists()]


def leftovers(machine):
    return [str(path) for path in (machine.state / "runs").rglob("*.tmp")]


def troubles(machine):
    return " ".join(machine.status()["troubles"])


def calls_in(path):
    """(number, call, path) of each line of a trace or a log, the last process's only."""
    lines = [line.split(" ", 4) for line in path.read_text(encoding="utf-8").splitlines()]
    return [(int(line[2]), line[3], line[4]) for line in lines
            if line[1] == lines[-1][1] and line[3] != "end"]


def sample_of(calls, fault, count):
    """Numbers of calls to fail, of each kind of call some; in a soak all."""
    sensible = {"short": ("write",), "EROFS": ("create", "rename", "remove", "mkdir")}.get(fault)
    by_call = collections.defaultdict(list)
    for number, call, _ in calls:
        if sensible is None or call in sensible:
            by_call[call].append(number)
    if SOAK:
        return sorted(sum(by_call.values(), []))
    source = random.Random(fault)
    kinds = sorted(by_call)
    picked = [source.choice(by_call[kinds[i % len(kinds)]]) for i in range(count)]
    return sorted(set(picked))


def at_once(jobs, work):
    """Does the jobs on two cores; work(jobs) takes one after another from the iterator."""
    taken = iter(jobs)
    lock = threading.Lock()

    def each():
        while True:
            with lock:
                job = next(taken, None)
            if job is None:
                return
            yield job

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(work, each()) for _ in range(2)]:
            done.result()


class DiskTest(MachineTest):
    @classmethod
    def setUpClass(cls):
        machine = Machine(mail=MAIL)
        cls.addClassCleanup(machine.remove)
        machine.boot()
        start(machine)
        machine.until_state("completed")
        cls.undisturbed = truth(machine)
        assert len(cls.undisturbed["mails"]) == 4

    def check(self, machine, run="tiny"):
        self.assertEqual(truth(machine, run), self.undisturbed)
        self.assertEqual(missing_files(machine), [])
        self.assertEqual(leftovers(machine), [])
        self.assertEqual(machine.status(run)["troubles"], [])


class EveryCallTest(DiskTest):
    """Each call fails once."""

    def fault_worker(self, machine, run, number, fault, on_error, **settings):
        """One run whose worker's call of that number fails; should that end it, the next one's
        next call."""
        log = machine.folder / f"{run}.log"
        (machine.folder / "next").write_text(f"{number}\n", encoding="utf-8")
        plan_fault(machine, "program traind-worker", f"under {machine.state}/runs",
                   f"next {machine.folder}/next", f"do {fault}", f"log {log}",
                   f"trace {log}.trace")
        start(machine, run, on_error, **settings)
        machine.until_state("completed", run=run)
        self.check(machine, run)
        return [call for _, call, _ in calls_in(log)] if log.exists() else []

    def worker_machine(self):
        machine = self.machine(mail=MAIL, worker="max_restarts = 50")
        plan_fault(machine, "program none")
        return machine.boot()

    def test_of_the_worker(self):
        machine = self.worker_machine()
        self.assertEqual(self.fault_worker(machine, "count", 0, "nothing", "continue"), [])
        calls = calls_in(machine.folder / "count.log.trace")
        jobs = [(number, fault, on_error)
                for fault, count in zip(FAULTS, (4, 5, 2, 2)) for on_error in ("continue", "pause")
                for number in sample_of(calls, fault, count)]
        random.Random(1).shuffle(jobs)
        hit = collections.Counter()

        def work(mine):
            machine = self.worker_machine()
            for i, (number, fault, on_error) in enumerate(mine):
                with self.subTest(number=number, fault=fault, on_error=on_error):
                    for call in self.fault_worker(machine, f"r{i}", number, fault, on_error):
                        hit[f"{call} {fault}"] += 1

        at_once(jobs, work)
        self.assertGreaterEqual(sum(hit.values()), 0.7 * len(jobs))
        FIGURES["worker"] = {"calls": len(calls), "runs": len(jobs), "failed": dict(hit)}

    def test_of_the_daemon(self):
        machine = self.machine(mail=MAIL)
        trace = machine.folder / "trace"
        plan_fault(machine, "program traind", f"under {machine.state}", f"trace {trace}")
        machine.boot()
        start(machine)
        machine.until_state("completed")
        machine.stop_daemon()
        calls = calls_in(trace)
        jobs = [(number, fault) for fault, count in zip(FAULTS, (5, 6, 2, 2))
                for number in sample_of(calls, fault, count)]
        hit = collections.Counter()

        def work(mine):
            for number, fault in mine:
                with self.subTest(number=number, fault=fault):
                    for call in self.fault_daemon(number, fault):
                        hit[f"{call} {fault}"] += 1

        at_once(jobs, work)
        self.assertGreaterEqual(sum(hit.values()), 0.7 * len(jobs))
        FIGURES["daemon"] = {"calls": len(calls), "runs": len(jobs), "failed": dict(hit)}

    def fault_daemon(self, number, fault):
        machine = Machine(mail=MAIL)
        try:
            log = machine.folder / "log"
            plan_fault(machine, "program traind", f"under {machine.state}", f"at {number}",
                       f"do {fault}", f"log {log}")
            machine.launch()
            until("it answers or ends", lambda: machine.daemon.poll() is not None or
                  machine.trainctl("version").returncode == 0)
            if machine.daemon.poll() is not None:
                self.assertNotEqual(machine.daemon.returncode, 78, "systemd must start it again")
                machine.environment.clear()
                machine.boot()
            path = with_on_error(machine.write_run(**RUN), "continue")
            refused = machine.trainctl("start", path)
            if refused.returncode != 0:
                self.assertNotEqual(refused.stderr, "")
                machine.told("start", path)
            machine.until_state("completed")
            until("all mails are written", lambda: machine.rows(
                "SELECT count(*), sum(state = 'sent') FROM outbox WHERE kind NOT IN "
                "('warning', 'restart')") == [(4, 4)])
            self.assertEqual(sum("-warning-" not in name and "-restart-" not in name
                                 for name in machine.mails()), 4)
            self.check(machine)
            self.assertEqual(machine.rows("PRAGMA integrity_check"), [("ok",)])
            machine.stop_daemon()
            return [call for _, call, _ in calls_in(log)] if log.exists() else []
        finally:
            machine.remove()

    def test_after_a_failed_fsync_a_new_file_is_written(self):
        machine = self.worker_machine()
        # The epochs' checkpoints alone: there are as many calls in every run.
        alone = {"checkpoint": 1000}
        self.fault_worker(machine, "count", 0, "nothing", "continue", **alone)
        syncs = [number for number, call, path in calls_in(machine.folder / "count.log.trace")
                 if call == "sync" and "/checkpoints/" in path]
        self.assertEqual(len(syncs), 2)
        for on_error, number in zip(("pause", "continue"), syncs):
            self.fault_worker(machine, on_error, number, "EIO", on_error, **alone)
            [(number, call, path)] = calls_in(machine.folder / f"{on_error}.log")
            self.assertEqual((call, path[-4:]), ("sync", ".tmp"))
            trace = calls_in(machine.folder / f"{on_error}.log.trace")
            after = [call for at, call, at_path in trace if at > number and at_path == path]
            self.assertEqual(after[0], "remove", "what failed to reach the disk is given up")
            self.assertEqual((after[1], after[-1]), ("create", "sync"))
            self.assertEqual(set(after[2:-1]), {"write"})

    def test_a_write_that_lies_is_noticed_here(self):
        """The test of this test: a checkpoint that is told and is not there."""
        machine = self.worker_machine()
        alone = {"checkpoint": 1000}
        self.fault_worker(machine, "count", 0, "nothing", "continue", **alone)
        last = [number for number, call, _ in calls_in(machine.folder / "count.log.trace")
                if call == "rename"][-1]
        with self.assertRaisesRegex(AssertionError, "checkpoint-"):
            self.fault_worker(machine, "lied", last, "lie", "continue", **alone)


@unittest.skipUnless(MAY_MOUNT, "this needs the right to mount")
class SmallDiskTest(DiskTest):
    """Real file systems that are too small."""

    def disk(self, folder, options):
        folder.mkdir(parents=True, exist_ok=True)
        mount(folder, 0, options)
        self.addCleanup(LIBC.umount2, bytes(folder), MNT_DETACH)

    def machine_on(self, options, worker=""):
        machine = self.machine(mail=MAIL, worker=worker)
        self.disk(machine.state, options)
        return machine.boot()

    def fill(self, machine, leave=0):
        """Takes all bytes of the disk but these."""
        with open(machine.state / "ballast", "wb", buffering=0) as ballast:
            for piece in (1 << 20, 4096):
                with contextlib.suppress(OSError):
                    while ballast.write(bytes(piece)):
                        pass
            if leave:
                ballast.truncate(max(ballast.tell() - leave, 0))

    def make_room(self, machine):
        (machine.state / "ballast").unlink()

    def slow_start(self, machine, on_error):
        """A run that is long enough to be disturbed in its middle."""
        start(machine, on_error=on_error, **self.LONGER)
        machine.until_checkpoint(0)

    LONGER = {"epochs": 3, "words": 6400, "hidden": 48, "checkpoint": 40}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        machine = Machine(mail=MAIL)
        cls.addClassCleanup(machine.remove)
        machine.boot()
        start(machine, **cls.LONGER)
        machine.until_state("completed")
        cls.undisturbed = truth(machine)

    def test_a_full_disk_holds_nothing_up_and_comes_right_by_itself(self):
        machine = self.machine_on("size=64m")
        self.slow_start(machine, "continue")
        self.fill(machine)
        step = machine.step()
        until("status tells of checkpoints that cannot be saved",
              lambda: "checkpoint can be saved" in troubles(machine))
        until("status tells of a database that cannot be written",
              lambda: "cannot record what happens" in troubles(machine))
        until("it is trained, and waits with its last checkpoint",
              lambda: "training waits" in troubles(machine))
        self.assertEqual(machine.step(), self.undisturbed["step"])
        self.assertLess(step, self.undisturbed["step"], "the disk was full too late")
        self.assertTrue(machine.in_state("running"))
        self.make_room(machine)
        machine.until_state("completed")
        self.check(machine)

    def test_people_are_warned_before_the_disk_is_full(self):
        machine = self.machine_on("size=64m")
        self.fill(machine, leave=12 << 20)
        self.slow_start(machine, "continue")
        until("a warning is mailed", lambda: machine.rows(
            "SELECT 1 FROM outbox WHERE kind = 'warning' AND key LIKE 'warning-disk-filling-%' "
            "AND state = 'sent'"))
        self.assertIn("the disk fills", troubles(machine))
        self.make_room(machine)
        machine.until_state("completed")
        self.check(machine)
        self.assertEqual(machine.rows("SELECT count(*) FROM outbox WHERE kind = 'warning'"),
                         [(1,)])

    def test_training_waits_where_its_run_file_says_so(self):
        machine = self.machine_on("size=64m", worker="stall_timeout_seconds = 2")
        self.slow_start(machine, "pause")
        self.fill(machine)
        until("it waits", lambda: "training waits" in troubles(machine))
        step = machine.status()["progress"]["step"]
        begin = time.monotonic()
        until("longer than a stalled worker may live", lambda: time.monotonic() - begin > 3)
        now = machine.status()
        self.assertEqual(now["progress"]["step"], step)
        self.assertEqual(now["progress"]["phase"], "saving")
        self.assertIn("training waits until a checkpoint can be saved", troubles(machine))
        self.make_room(machine)
        machine.until_state("completed")
        self.assertEqual(machine.status()["run"]["restarts"], 0)
        self.check(machine)

    def test_a_disk_without_room_for_names(self):
        machine = self.machine_on("size=64m,nr_inodes=400")
        self.slow_start(machine, "pause")
        names = machine.state / "names"
        names.mkdir()
        with self.assertRaises(OSError) as full:
            for i in range(1000):
                (names / str(i)).touch()
        self.assertEqual(full.exception.errno, errno.ENOSPC)
        until("it waits", lambda: "training waits" in troubles(machine))
        until("status tells of names that run out",
              lambda: "the disk fills: no more than 0 new files" in troubles(machine))
        for path in names.iterdir():
            path.unlink()
        names.rmdir()
        machine.until_state("completed")
        self.check(machine)

    def test_a_stop_on_a_full_disk_ends_in_time_and_the_run_can_be_resumed(self):
        machine = self.machine_on("size=64m,nr_inodes=400")
        self.slow_start(machine, "continue")
        names = machine.state / "names"
        names.mkdir()
        with contextlib.suppress(OSError):
            for i in range(1000):
                (names / str(i)).touch()
        until("saves fail", lambda: "checkpoint can be saved" in troubles(machine))
        begin = time.monotonic()
        self.assertEqual(machine.trainctl("stop", "--wait").returncode, 0)
        self.assertLess(time.monotonic() - begin, 25)
        run = machine.status()["run"]
        self.assertEqual(run["state"], "stopped")
        self.assertIn("No space left on device", run["reason"])
        for path in names.iterdir():
            path.unlink()
        machine.told("resume", "tiny")
        machine.until_state("completed")
        end = self.undisturbed["mails"].pop()
        self.addCleanup(self.undisturbed["mails"].append, end)
        ours = truth(machine)
        self.assertEqual([kind for kind, _ in ours["mails"]].count("epoch"), 3)
        ours["mails"] = self.undisturbed["mails"]
        self.assertEqual(ours, self.undisturbed)

    def test_a_read_only_disk_for_checkpoints(self):
        machine = self.machine(mail=MAIL).boot()
        start(machine, **self.LONGER)
        folder = until("the run's folder is there", lambda: next(
            (machine.state / "runs").glob("*/checkpoints"), None))
        machine.until_checkpoint(0)
        self.assertEqual(machine.trainctl("stop", "--wait").returncode, 0)
        saved = {path.name: path.read_bytes() for path in folder.iterdir()}
        self.disk(folder, "size=64m")
        for name, content in saved.items():
            (folder / name).write_bytes(content)
        mount(folder, MS_REMOUNT | MS_RDONLY, "size=64m")
        machine.told("resume", "tiny")
        until("it cannot save", lambda: "Read-only file system" in troubles(machine))
        mount(folder, MS_REMOUNT, "size=64m")
        machine.until_state("completed")
        ours = truth(machine)
        ours["mails"] = self.undisturbed["mails"]  # it was stopped once
        self.assertEqual(ours, self.undisturbed)

    def test_a_file_size_limit(self):
        machine = self.machine(mail=MAIL).boot()
        self.slow_start(machine, "pause")
        worker = machine.until_worker()
        _, hard = resource.prlimit(worker, resource.RLIMIT_FSIZE)
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (1000, hard))
        until("it waits", lambda: "training waits" in troubles(machine))
        self.assertIn("File too large", troubles(machine))
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (hard, hard))
        machine.until_state("completed")
        self.assertEqual(machine.status()["run"]["restarts"], 0)
        self.check(machine)

    def test_a_run_that_does_not_fit_is_refused_with_figures(self):
        machine = self.machine_on("size=4m")
        refused = machine.trainctl("start", str(machine.write_run(hidden=288)))
        self.assertEqual(refused.returncode, 1)
        self.assertRegex(refused.stderr, r"need \d+ MB \(5 times \d+ MB\), and \d+ MB are free")
        self.assertIn("make room, or lower checkpoint.keep", refused.stderr)

    @unittest.skipUnless(SOAK, "it takes a quarter of a minute until that many rows wait")
    def test_a_daemon_that_cannot_write_takes_no_more_than_it_can_hold(self):
        machine = self.machine_on("size=64m", worker="stall_timeout_seconds = 3")
        start(machine, report=1, epochs=200, words=3200, checkpoint=100000)
        machine.until_step(200)
        self.fill(machine)
        until("status tells it", lambda: "cannot record what happens" in troubles(machine))
        daemon = machine.daemon.pid
        steps = []

        def stands_still():
            steps.append(machine.step())
            time.sleep(1)
            return len(steps) > 5 and steps[-1] == steps[-5]
        until("the worker waits for the daemon", stands_still, 180)
        self.assertEqual(machine.status()["run"]["restarts"], 0)
        resident = int(pathlib.Path(f"/proc/{daemon}/statm").read_text().split()[1]) * 4096
        FIGURES["pending_resident_bytes"] = resident
        self.assertLess(resident, 200e6)
        self.make_room(machine)
        machine.until_step(steps[-1] + 1000)
        machine.told("stop", "tiny")
        machine.until_state("stopped")
        count, newest = machine.rows("SELECT count(*), max(step) FROM metrics")[0]
        self.assertEqual(count, newest, "no row is missing")


def tearDownModule():
    record_soak("disk", FIGURES)


if __name__ == "__main__":
    unittest.main()
