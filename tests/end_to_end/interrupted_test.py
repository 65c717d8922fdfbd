"""Interrupted equals uninterrupted, whatever the interruption.

Each test disturbs the same run in its own way and holds the end against the undisturbed run: the
final digest, every metric and epoch row to the last bit, the samples, and the mails.
"""

import os
import random
import signal
import unittest

from machine import Machine, MachineTest, until


def mails_of(machine):
    """What was told to whom, without what tells of the disturbance itself."""
    return sorted(machine.rows("SELECT kind, key, recipient, state FROM outbox "
                               "WHERE kind <> 'restart'"))


class InterruptedTest(MachineTest):
    @classmethod
    def setUpClass(cls):
        machine = Machine()
        cls.addClassCleanup(machine.remove)
        machine.boot().start_run()
        machine.until_state("completed")
        cls.undisturbed = machine.record()
        cls.undisturbed_mails = mails_of(machine)
        cls.last_step = cls.undisturbed["step"]

    def running_machine(self, **settings):
        machine = self.machine(**settings).boot()
        machine.start_run()
        return machine

    def assert_ends_the_same(self, machine):
        machine.until_state("completed")
        self.assertEqual(machine.record(), self.undisturbed)
        until("all mails are sent", lambda: all(row[3] == "sent" for row in mails_of(machine)))
        self.assertEqual(mails_of(machine), self.undisturbed_mails)

    def kill_worker(self, machine, number=signal.SIGKILL):
        restarts = machine.status()["run"]["restarts"]
        os.kill(machine.until_worker(), number)
        # Not until there is another worker: that one may be done before anybody looks.
        machine.until_restart(restarts + 1)

    def test_stop_and_resume(self):
        machine = self.running_machine()
        machine.until_step(self.last_step * 2 // 5)
        reached = machine.step()
        self.assertEqual(machine.trainctl("stop", "--wait").returncode, 0)
        self.assertTrue(machine.in_state("stopped"))
        saved = machine.status()["checkpoint"]["step"]
        self.assertTrue(reached <= saved < self.last_step, "nothing trained is lost by a stop")
        machine.told("resume", "tiny")
        machine.until_state("completed")
        self.assertEqual(machine.record(), self.undisturbed)

    def test_sigterm_of_the_worker(self):
        machine = self.running_machine()
        machine.until_step(self.last_step // 4)
        self.kill_worker(machine, signal.SIGTERM)
        self.assert_ends_the_same(machine)

    def test_kill_9_of_the_worker_again_and_again(self):
        # More kills than restarts are allowed: progress in between counts them anew.
        machine = self.running_machine(worker="max_restarts = 2")
        moments = random.Random(20261121)
        targets = sorted(moments.sample(range(20, self.last_step - 60), 5))
        saved = 0
        for target in targets:
            machine.until_step(target)
            saved = machine.until_checkpoint(saved)
            self.kill_worker(machine)
        self.assert_ends_the_same(machine)
        self.assertEqual(machine.status()["run"]["restarts"], len(targets))

    def test_kill_9_of_a_worker_that_has_hardly_begun(self):
        machine = self.running_machine()
        self.kill_worker(machine)
        self.assert_ends_the_same(machine)

    def test_kill_9_of_the_daemon(self):
        machine = self.running_machine()
        machine.until_step(self.last_step // 3)
        machine.kill_daemon()
        machine.boot()
        self.assert_ends_the_same(machine)

    def test_sigterm_of_the_daemon(self):
        machine = self.running_machine()
        machine.until_step(self.last_step // 2)
        machine.stop_daemon()
        self.assertEqual(machine.rows("SELECT state FROM runs"), [("preempted",)])
        machine.boot()
        self.assert_ends_the_same(machine)

    def test_everything_killed_at_once(self):
        machine = self.running_machine()
        for part in (4, 2):
            machine.until_step(self.last_step // part)
            worker = machine.until_worker()
            machine.signal_daemon(signal.SIGKILL)
            os.kill(worker, signal.SIGKILL)
            machine.kill_daemon()
            machine.boot()
        self.assert_ends_the_same(machine)

    def test_a_stalled_worker(self):
        machine = self.running_machine(worker="stall_timeout_seconds = 3")
        machine.until_step(self.last_step // 3)
        pid = machine.until_worker()
        os.kill(pid, signal.SIGSTOP)
        machine.until_restart(1)
        self.assert_ends_the_same(machine)
        states = [text for (text,) in machine.rows(
            "SELECT text FROM events WHERE kind = 'state' ORDER BY sequence")]
        self.assertTrue(any("stalled" in text for text in states), states)


if __name__ == "__main__":
    unittest.main()
