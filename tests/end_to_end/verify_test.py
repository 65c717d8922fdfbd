"""`trainctl verify` on the real programs: that what a run trained is trained anew to the last bit,
that a difference is found, and that the run is left alone."""

import json
import os
import pathlib
import signal
import subprocess
import unittest

from machine import MachineTest, children_of, lives, until

CHANGE_WEIGHT = os.environ["CHANGE_WEIGHT"]
QUICK = {"hidden": 48, "words": 600, "checkpoint": 10, "report": 5}
# Checkpoints at the ends of the epochs alone, seconds apart.
SLOW = {"epochs": 2, "checkpoint": 0, "words": 1600}


def verifying(machine):
    """The process that trains anew, or None."""
    for pid, words in children_of(machine.daemon.pid).items():
        if "verify" in words:
            return pid
    return None


def contents_of(folder):
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns)
            for path in pathlib.Path(folder).rglob("*") if not path.name.startswith("worker.lock")}


class VerifyTest(MachineTest):
    def finished(self, **settings):
        machine = self.machine().boot()
        machine.start_run(**settings)
        machine.until_state("completed")
        return machine

    def folder(self, machine):
        return pathlib.Path(machine.status()["run_folder"])

    def checkpoints(self, machine):
        return [one["file"] for one in machine.told("checkpoints")["checkpoints"]]

    def assert_nothing_is_left(self, machine):
        until("the scratch folder is gone", lambda: not list((machine.state / "verify").glob("*")))

    def test_a_finished_run_is_the_same_and_left_alone_and_a_changed_weight_is_found(self):
        machine = self.finished(**QUICK)
        before = (machine.record(), machine.mails(), contents_of(self.folder(machine)))
        result = machine.trainctl("--json", "verify")
        self.assertEqual(result.returncode, 0, result.stderr + machine.log_text())
        told = json.loads(result.stdout)
        newest, predecessor = self.checkpoints(machine)[:2]
        self.assertEqual((told["verdict"], told["run"], told["to"], told["from"]),
                         ("same", "tiny", newest, predecessor))
        self.assertEqual(told["digest"], machine.status()["digest"])
        self.assertEqual(told["trained_digest"], told["digest"])
        self.assertEqual(told["trained_optimizer_digest"], told["optimizer_digest"])
        self.assertEqual((told["differences"], told["notes"]), ([], []))
        after = (machine.record(), machine.mails(), contents_of(self.folder(machine)))
        self.assertEqual(after, before)
        self.assert_nothing_is_left(machine)

        tensor = subprocess.run([CHANGE_WEIGHT, self.folder(machine) / "checkpoints", newest],
                                check=True, capture_output=True, text=True).stdout.strip()
        result = machine.trainctl("verify", "tiny")
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("tiny  DIFFERENT\n", result.stdout)
        self.assertRegex(result.stdout, rf"differs +weights: 1 of \d+ tensors differ, {tensor}")

    def test_without_two_checkpoints_it_is_refused(self):
        machine = self.machine().boot()
        self.assertEqual(machine.trainctl("verify").returncode, 5)
        machine.start_run(**QUICK)
        machine.until_state("completed")
        self.assertEqual(machine.trainctl("verify", "nobody").returncode, 5)
        folder = self.folder(machine) / "checkpoints"
        newest, *older = self.checkpoints(machine)
        for file in older:
            (folder / file).unlink()
        result = machine.trainctl("verify")
        self.assertEqual(result.returncode, 6, result.stdout)
        self.assertIn(f"one good checkpoint alone, {newest}", result.stderr)
        (folder / newest).unlink()
        result = machine.trainctl("verify")
        self.assertEqual(result.returncode, 5, result.stdout)
        self.assert_nothing_is_left(machine)

    def test_a_run_that_was_killed_and_trains_again_is_the_same(self):
        machine = self.machine().boot()
        machine.start_run(**{**QUICK, "hidden": 96, "epochs": 1000})
        machine.until_step(25)
        worker = machine.worker()
        os.kill(worker, signal.SIGKILL)
        machine.until_restart(1)
        step = machine.step()
        for _ in range(2):
            result = machine.trainctl("--json", "verify")
            self.assertEqual(result.returncode, 0, result.stderr + result.stdout)
            self.assertEqual(json.loads(result.stdout)["verdict"], "same")
            self.assertIn("run tiny is training meanwhile", result.stderr)
            machine.until_step(step + 40)
        self.assertEqual(machine.status()["run"]["restarts"], 1)
        self.assert_nothing_is_left(machine)

    def test_there_is_one_at_a_time_and_it_ends_with_its_caller(self):
        machine = self.finished(**SLOW)
        before = contents_of(self.folder(machine))
        caller = machine.trainctl_process("verify")
        pid = until("it trains anew", lambda: verifying(machine))
        result = machine.trainctl("verify")
        self.assertEqual(result.returncode, 6, result.stdout)
        self.assertIn("a verification of run tiny is under way", result.stderr)
        self.assertTrue(lives(pid))
        caller.send_signal(signal.SIGINT)
        self.assertEqual(caller.wait(), 130)
        caller.communicate()
        until("the process is gone", lambda: not lives(pid))
        self.assert_nothing_is_left(machine)

        # The daemon dies while one is under way: it ends by itself, and the next daemon tidies up.
        caller = machine.trainctl_process("verify")
        pid = until("it trains anew", lambda: verifying(machine))
        until("it has begun", lambda: list((machine.state / "verify").glob("*/*/pinned/*")))
        os.kill(pid, signal.SIGSTOP)
        machine.kill_daemon()
        self.assertEqual(caller.wait(), 3)
        caller.communicate()
        machine.boot()
        self.assert_nothing_is_left(machine)
        os.kill(pid, signal.SIGCONT)
        until("the process is gone", lambda: not lives(pid))
        left = [path for path in (machine.state / "verify").rglob("*") if path.is_file()]
        self.assertEqual(left, [])
        self.assertEqual(machine.told("verify")["verdict"], "same")
        self.assert_nothing_is_left(machine)
        self.assertEqual(contents_of(self.folder(machine)), before)


if __name__ == "__main__":
    unittest.main()
