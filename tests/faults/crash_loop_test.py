"""A checkpoint that crashes whoever loads it, and a machine that crashes every worker.

The real worker is killed when it opens a checkpoint, as a bug in the loader or a broken driver
would do it. What may be tried is bounded, nothing is lost on the way, and the daemon lives on.
"""

import re
import unittest

from fault_case import TINY, plan_fault
from machine import Machine, MachineTest, until

EPOCHS = 15


class CrashLoopTest(MachineTest):
    @classmethod
    def setUpClass(cls):
        machine = Machine()
        cls.addClassCleanup(machine.remove)
        machine.boot().start_run(epochs=EPOCHS, **TINY)
        machine.until_state("completed")
        cls.undisturbed = machine.record()

    def stopped_machine(self):
        """A run in the middle, stopped, with some checkpoints."""
        machine = self.machine().boot()
        machine.start_run(epochs=EPOCHS, **TINY)
        until("two checkpoints", lambda: len(self.files(machine)) >= 2)
        self.assertEqual(machine.trainctl("stop", "--wait").returncode, 0)
        self.assertTrue(machine.in_state("stopped"), "the run is too short to be stopped")
        return machine

    def files(self, machine):
        """The newest first."""
        found = sorted((machine.state / "runs").glob("*/checkpoints/*"), reverse=True)
        return [file for file in found if file.suffix != ".tmp"]

    def checkpoints(self, machine):
        """Name -> content, the newest first; of a run that prunes none meanwhile."""
        return {file.name: file.read_bytes() for file in self.files(machine)}

    def folder(self, machine):
        return next((machine.state / "runs").glob("*/checkpoints"))

    def resume_with_crashes(self, machine, below):
        """From now on every worker that opens something below is killed."""
        machine.stop_daemon()
        plan_fault(machine, "program traind-worker", f"under {below}", "calls open", "from 1",
                   "do kill", f"while {machine.folder}/broken", f"log {machine.folder}/crashes")
        (machine.folder / "broken").touch()
        machine.boot()
        machine.told("resume", "tiny")

    def crashes(self, machine):
        """Names of the files whose opening was deadly, in order."""
        log = machine.folder / "crashes"
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        return [line.rsplit("/", 1)[1] for line in lines if " open " in line]

    def told(self, machine, kind):
        return [text for (text,) in machine.rows(
            "SELECT text FROM events WHERE kind = ? ORDER BY sequence", kind)]

    def warnings(self, machine):
        return [mail for name, mail in machine.mails().items() if "warning" in name]

    def test_after_three_tries_it_is_set_aside_and_the_run_goes_on_from_the_next_older(self):
        machine = self.stopped_machine()
        newest, older = list(self.checkpoints(machine))[:2]
        content = self.checkpoints(machine)[newest]
        self.resume_with_crashes(machine, self.folder(machine) / newest)
        machine.until_state("completed")
        self.assertEqual(machine.record(), self.undisturbed)
        self.assertEqual(self.crashes(machine), [newest] * 3)
        self.assertEqual(self.checkpoints(machine)[newest + ".quarantined"], content)
        self.assertIn(older, self.told(machine, "started")[-1])
        states = self.told(machine, "state")
        self.assertTrue(any(f"while it loaded {newest} (time 3 of 3); that file is set aside as "
                            f"{newest}.quarantined" in text for text in states), states)
        said = f"passed over checkpoint {newest}.quarantined: it was set aside"
        self.assertTrue(any(said in text for text in self.told(machine, "notice")))
        self.assertIn("set aside", machine.log_text())
        until("the warning is mailed", lambda: self.warnings(machine))
        flat = re.sub(r"\s+", " ", self.warnings(machine)[0].replace("=\n", ""))
        self.assertIn(newest + ".quarantined", flat)

    def test_a_machine_that_crashes_every_worker_costs_no_checkpoint(self):
        machine = self.stopped_machine()
        before = self.checkpoints(machine)
        newest, older = list(before)[:2]
        self.resume_with_crashes(machine, self.folder(machine))
        self.assertEqual(machine.trainctl("wait", "tiny").returncode, 7)
        self.assertEqual(self.crashes(machine), [newest] * 3 + [older] * 3)
        self.assertEqual(self.checkpoints(machine), before)
        reason = machine.status()["run"]["reason"]
        self.assertIn(newest, reason)
        self.assertIn(older, reason)
        delays = re.findall(r"again in (\S+) s \(attempt (\d) of 5\)",
                            "\n".join(self.told(machine, "state")))
        self.assertEqual(delays, [("0.05", "1"), ("0.1", "2"), ("0.2", "3"), ("0.2", "4"),
                                  ("0.2", "5")])
        self.assertIsNone(machine.daemon.poll(), "the daemon lives on")
        # Once the machine is mended, nothing but a resume is needed.
        (machine.folder / "broken").unlink()
        machine.told("resume", "tiny")
        machine.until_state("completed")
        self.assertEqual(machine.record(), self.undisturbed)

    def test_the_only_checkpoint_is_never_given_up_for_a_new_beginning(self):
        machine = self.stopped_machine()
        names = list(self.checkpoints(machine))
        for name in names[1:]:
            (self.folder(machine) / name).unlink()
        before = self.checkpoints(machine)
        rows = machine.rows("SELECT step, loss FROM metrics ORDER BY step")
        self.resume_with_crashes(machine, self.folder(machine))
        self.assertEqual(machine.trainctl("wait", "tiny").returncode, 7)
        self.assertEqual(self.crashes(machine), names[:1] * 3)
        self.assertEqual(self.checkpoints(machine), before)
        self.assertIn(names[0], machine.status()["run"]["reason"])
        self.assertEqual(machine.rows("SELECT step, loss FROM metrics ORDER BY step"), rows)

    def test_everything_set_aside_is_not_a_run_without_checkpoints(self):
        machine = self.stopped_machine()
        folder = self.folder(machine)
        before = self.checkpoints(machine)
        for name in before:
            (folder / name).rename(folder / (name + ".quarantined"))
        machine.told("resume", "tiny")
        self.assertEqual(machine.trainctl("wait", "tiny").returncode, 7)
        self.assertIn(".quarantined", machine.status()["run"]["reason"])
        # By hand, as the reason says.
        for name in before:
            (folder / (name + ".quarantined")).rename(folder / name)
        self.assertEqual(self.checkpoints(machine), before)
        machine.told("resume", "tiny")
        machine.until_state("completed")
        self.assertEqual(machine.record(), self.undisturbed)


if __name__ == "__main__":
    unittest.main()
