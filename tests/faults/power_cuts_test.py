"""Power cuts under a daemon and a worker that train: what was acknowledged is there afterwards.

The database and the mails lie on one file system, the checkpoints on another, and both lose power
at once. On one alone, each commit of the database would bring the checkpoints' names to disk by the
way, and a worker that forgets to sync its folder would never be found out. Programs for which fsync
is a lie must be: that is the test of the test.
"""

import os
import random
import sqlite3
import subprocess
import sys
import time
import unittest

from fault_case import (SOAK, TINY, Acknowledged, kill_all, mails_of, plan_fault, record_soak,
                        restart_quickly)
from loop_disk import DROP_ALL, FLUSH_JOURNAL, LoopDisk, keep_mounts_to_ourselves, missing
from machine import Machine, MachineTest, children_of, until

CUTS = 500 if SOAK else 3  # on each file system
MUTANTS_ON = ("ext4", "xfs") if SOAK else ("ext4",)
MOST_MUTANT_CUTS = 40
EPOCHS = 20
CHECK = os.environ["CHECK_CHECKPOINTS"]


class PowerCutTest(MachineTest):
    figures = {}

    def machine_on(self, kind):
        machine = self.machine()
        restart_quickly(machine)
        self.disks = []
        for part, folder in (("state", machine.state), ("runs", machine.state / "runs")):
            disk = LoopDisk(kind, machine.folder / f"{part}.image", folder)
            self.addCleanup(disk.remove)
            self.disks.append(disk)
            os.sync()  # the mount point of the second, on the first
        # Runs before the disks go, so that nobody holds them.
        self.addCleanup(self.kill, machine)
        self.moments = random.Random(20261121)
        return machine

    def kill(self, machine):
        if machine.daemon is not None:
            kill_all(machine, list(children_of(machine.daemon.pid)))

    def cut(self, machine, how):
        """The power goes, everybody dies; then it is there again. What was acknowledged before."""
        pids = list(children_of(machine.daemon.pid))
        before = Acknowledged(machine)
        for disk in self.disks:
            disk.cut(how)
        kill_all(machine, pids)
        for disk in reversed(self.disks):
            disk.unmount()
        for disk in self.disks:
            disk.mount()
        return before

    def damage(self, machine, before):
        """What is lost or not whole, by the disk alone, before any program of ours looks at it."""
        try:
            database = sqlite3.connect(f"file:{machine.state}/traind.db?mode=ro", uri=True)
            found = [row[0] for row in database.execute("PRAGMA integrity_check")]
            database.close()
            if found != ["ok"]:
                return found
            after = Acknowledged(machine)
        except sqlite3.Error as error:
            return [f"the database: {error}"]
        bad = before.losses(after) + before.lost_files(machine)
        for folder in (machine.state / "runs").glob("*/checkpoints"):
            said = subprocess.run([CHECK, folder], capture_output=True, text=True)
            bad += [line for line in (said.stdout + said.stderr).splitlines()
                    if not line.startswith("good")]
        return bad

    def wait_for_a_moment(self, machine):
        """Half of the cuts come right after a checkpoint was acknowledged."""
        if self.moments.random() < 0.5:
            time.sleep(self.moments.uniform(0, 0.5))
            return
        before = Acknowledged(machine).newest_checkpoints()
        until("another checkpoint or the end", lambda: (
            Acknowledged(machine).newest_checkpoints() != before or self.is_over(machine)))

    def is_over(self, machine):
        return not machine.rows("SELECT 1 FROM runs WHERE state <> 'completed'")

    def passed_over(self, machine):
        return machine.rows("SELECT text FROM events WHERE kind = 'notice' AND "
                            "(text LIKE 'passed over%' OR text LIKE '%is missing%')")

    def cut_again_and_again(self, kind):
        machine = self.machine_on(kind)
        machine.boot()
        self.figures[kind] = {"cuts": 0, "lost": 0, "corrupt": 0, "runs_equal_undisturbed": 0}
        start = time.monotonic()
        while self.figures[kind]["cuts"] < CUTS:
            if self.is_over(machine):
                machine.start_run(epochs=EPOCHS, **TINY)
            self.wait_for_a_moment(machine)
            before = self.cut(machine, self.moments.choice((FLUSH_JOURNAL, DROP_ALL)))
            self.assertEqual(self.damage(machine, before), [])
            self.figures[kind]["cuts"] += 1
            machine.boot()
            if self.is_over(machine):
                self.check_end(machine, kind)
        self.figures[kind]["seconds"] = round(time.monotonic() - start, 1)
        if not self.is_over(machine):
            machine.until_state("completed")
            self.check_end(machine, kind)
        self.assertEqual(self.passed_over(machine), [])

    def check_end(self, machine, kind):
        self.assertEqual(machine.record(), self.undisturbed)
        until("all mails are sent", lambda: all(row[4] == "sent" for row in mails_of(machine)))
        self.figures[kind]["runs_equal_undisturbed"] += 1

    @classmethod
    def setUpClass(cls):
        machine = Machine()
        cls.addClassCleanup(machine.remove)
        machine.boot().start_run(epochs=EPOCHS, **TINY)
        machine.until_state("completed")
        cls.undisturbed = machine.record()
        cls.addClassCleanup(lambda: record_soak("power_cuts", cls.figures))

    def test_ext4_loses_nothing(self):
        self.cut_again_and_again("ext4")

    def test_xfs_loses_nothing(self):
        self.cut_again_and_again("xfs")

    # The tests of the test.

    def cuts_until_a_loss(self, kind, program, calls):
        machine = self.machine_on(kind)
        plan_fault(machine, f"program {program}", f"under {machine.state}", f"calls {calls}",
                   "from 1", "do lie")
        for cuts in range(1, MOST_MUTANT_CUTS + 1):
            machine.boot()
            if self.is_over(machine):
                # Far between, or the next one's fsync would bring this one's name to disk.
                machine.start_run(epochs=EPOCHS, **{**TINY, "checkpoint": 1000})
            known = Acknowledged(machine).newest_checkpoints()
            until("another checkpoint", lambda: (
                Acknowledged(machine).newest_checkpoints() != known or self.is_over(machine)))
            before = self.cut(machine, DROP_ALL)
            if self.damage(machine, before):
                self.figures.setdefault("cuts_until_a_lie_is_found", {})[
                    f"{kind} {program} {calls}"] = cuts
                return
        self.fail(f"{program} with {calls} made a lie went through {MOST_MUTANT_CUTS} cuts")

    def test_a_worker_without_fsync_of_files_is_found_out(self):
        for kind in MUTANTS_ON:
            self.cuts_until_a_loss(kind, "traind-worker", "sync")

    def test_a_worker_without_fsync_of_folders_is_found_out(self):
        for kind in MUTANTS_ON:
            self.cuts_until_a_loss(kind, "traind-worker", "syncdir")

    def test_a_daemon_without_fsync_is_found_out(self):
        for kind in MUTANTS_ON:
            self.cuts_until_a_loss(kind, "traind", "sync")


if __name__ == "__main__":
    LACKING = missing()
    if LACKING:
        print("power cuts need " + ", ".join(LACKING) + "; skipped", file=sys.stderr)
        sys.exit(77)
    keep_mounts_to_ourselves()
    unittest.main()
