"""A worker that cannot go on: few restarts, then failed, with the reason and its last words."""

import unittest

from machine import WORKER, MachineTest, until

ABORTING = """#!/bin/sh
# Checks and answers as the real one does; dies as soon as it is to train.
[ "$1" = run ] || exec "{worker}" "$@"
echo once >> "{folder}/starts"
seq -f 'dying line %g' 1 60 >&2
kill -ABRT $$
"""


class FailingWorkerTest(MachineTest):
    def aborting_machine(self):
        machine = self.machine(worker="max_restarts = 3")
        program = machine.folder / "aborting-worker"
        program.write_text(ABORTING.format(worker=WORKER, folder=machine.folder),
                           encoding="utf-8")
        program.chmod(0o755)
        machine.replace_in_config(WORKER, str(program))
        return machine.boot()

    def test_a_crash_loop_ends_in_failed_with_its_last_words(self):
        machine = self.aborting_machine()
        machine.start_run()
        self.assertEqual(machine.trainctl("wait").returncode, 7)
        run = machine.status()["run"]
        self.assertEqual((run["state"], run["restarts"]), ("failed", 3))
        self.assertIn("3", run["reason"])
        self.assertEqual(machine.trainctl("status", "--exit-code").returncode, 7)
        starts = (machine.folder / "starts").read_text(encoding="utf-8").splitlines()
        self.assertEqual(len(starts), 4)

        until("the failure is mailed", lambda: machine.rows(
            "SELECT 1 FROM outbox WHERE kind = 'failure' AND state = 'sent'"))
        failure = [mail for name, mail in machine.mails().items() if "failure" in name]
        self.assertEqual(len(failure), 1)
        self.assertIn("dying line 60", failure[0])
        self.assertIn("dying line 11", failure[0])
        self.assertNotIn("dying line 10\n", failure[0])
        # Restarts are told too, but not one by one.
        self.assertEqual(machine.rows("SELECT count(*) FROM outbox WHERE kind = 'restart'"),
                         [(1,)])
        logs = machine.trainctl("logs", "-n", "3")
        self.assertIn("dying line 60", logs.stdout)

    def test_a_failed_run_can_be_resumed_when_its_cause_is_gone(self):
        machine = self.aborting_machine()
        machine.start_run(epochs=1)
        self.assertEqual(machine.trainctl("wait").returncode, 7)
        machine.replace_in_config(str(machine.folder / "aborting-worker"), WORKER)
        machine.stop_daemon()
        machine.boot()
        self.assertTrue(machine.in_state("failed"), "a failed run is not started by itself")
        machine.told("resume", "tiny")
        machine.until_state("completed")

    def test_changed_data_is_refused_and_taken_when_asked_for(self):
        machine = self.machine().boot()
        machine.start_run()
        machine.until_step(60)
        self.assertEqual(machine.trainctl("stop", "--wait").returncode, 0)
        with open(machine.folder / "words.txt", "a", encoding="utf-8") as corpus:
            corpus.write("abcdefg\n")
        machine.trainctl("resume", "tiny")
        self.assertEqual(machine.trainctl("wait").returncode, 7)
        run = machine.status()["run"]
        self.assertIn("accept-changed-data", run["reason"])
        self.assertEqual(run["restarts"], 0, "trying again would not help")
        machine.told("resume", "tiny", "--accept-changed-data")
        machine.until_state("completed")


if __name__ == "__main__":
    unittest.main()
