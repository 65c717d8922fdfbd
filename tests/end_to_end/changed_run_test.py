"""What may change about a run, and what a run may begin with: resume with other settings, a start
from another run's weights, and the reasons for which a run is completed."""

import json
import os
import shutil
import signal
import unittest

from machine import MachineTest, until

QUICK = {"hidden": 64, "words": 800, "checkpoint": 10, "report": 5}
# Too small to change an answer, so that weights can be recognised after an epoch.
STILL = "learning_rate = 1e-12"


class ChangedSettingsTest(MachineTest):
    def changes(self, machine):
        return machine.rows("SELECT key FROM events WHERE kind = 'setting' ORDER BY sequence")

    def stopped_machine(self):
        machine = self.machine().boot()
        self.examples = machine.start_run(**QUICK, epochs=3)["train_examples"]
        machine.until_step(10)
        self.assertEqual(machine.trainctl("stop", "--wait").returncode, 0)
        self.assertTrue(machine.in_state("stopped"))
        return machine

    def test_a_resume_changes_what_is_named_and_the_history_tells_it_once(self):
        machine = self.stopped_machine()
        step = machine.status()["checkpoint"]["step"]
        run = machine.told("resume", "tiny", "--learning-rate", "5e-4", "--epochs", "4",
                           "--batch-size", "32")
        self.assertEqual(run["epochs"], 4)
        # The worker tells it again when it is started again.
        until("the changes are told", lambda: len(self.changes(machine)) == 3)
        worker = machine.worker()
        if worker:
            os.kill(worker, signal.SIGKILL)
        machine.until_state("completed")
        status = machine.status()
        self.assertEqual(status["run"]["epoch"], 4)
        self.assertEqual(status["run"]["reason"], "all 4 epochs")
        self.assertEqual(status["run"]["end_reason"], "all_epochs")

        self.assertEqual(len(self.changes(machine)), 3)
        told = {change["key"]: change for change in status["changes"]}
        self.assertEqual({key: (change["was"], change["is"]) for key, change in told.items()},
                         {"train.learning_rate": ("0.001", "0.0005"),
                          "train.epochs": ("3", "4"), "train.batch_size": ("16", "32")})
        self.assertEqual({change["step"] for change in told.values()}, {step})
        events = [json.loads(line) for line in
                  machine.trainctl("watch", "--json").stdout.splitlines()]
        self.assertEqual(sum(event["event"] == "setting_changed" for event in events), 3)
        self.assertIn("train.epochs 3 -> 4", machine.trainctl("status").stdout)
        self.assertIn("learning_rate = 0.0005", status["config"])
        self.assert_training_followed(machine, step, told["train.batch_size"]["epoch"])

    def assert_training_followed(self, machine, step, epoch_of_batches):
        rows = machine.rows("SELECT step, epoch, learning_rate, batches_per_epoch FROM metrics")
        for row_step, epoch, rate, batches in rows:
            if row_step > step + QUICK["report"]:
                self.assertEqual(rate, 5e-4)
            if row_step <= step:
                self.assertEqual(rate, 1e-3)
            size = 16 if epoch < epoch_of_batches else 32
            self.assertEqual(batches, -(-self.examples // size), epoch)

    def test_what_cannot_be_changes_nothing(self):
        machine = self.stopped_machine()
        before = machine.status()
        for words, code in ((("--learning-rate", "1e9"), 1), (("--epochs", "2000000"), 1),
                            (("--batch-size", "70000"), 1), (("--epochs", "0"), 2)):
            result = machine.trainctl("resume", "tiny", *words)
            self.assertEqual(result.returncode, code, result.stderr)
        after = machine.status()
        for name in ("run", "config", "changes", "last_sequence"):
            self.assertEqual(after[name], before[name])

    def test_a_completed_run_goes_on_for_more_epochs(self):
        machine = self.machine().boot()
        machine.start_run(**QUICK, epochs=1)
        machine.until_state("completed")
        self.assertEqual(machine.trainctl("resume", "tiny").returncode, 6)
        self.assertEqual(machine.trainctl("resume", "tiny", "--epochs", "1").returncode, 6)
        machine.told("resume", "tiny", "--epochs", "2")
        machine.until_state("completed")
        self.assertEqual([epoch for (epoch,) in machine.rows("SELECT epoch FROM epochs")], [1, 2])


class StartFromTest(MachineTest):
    def test_a_run_begins_with_the_weights_of_another(self):
        machine = self.machine().boot()
        machine.start_run(**QUICK, epochs=2)
        machine.until_state("completed")
        source = machine.status("tiny")
        tuned = machine.write_run(name="tuned", epochs=1, train=STILL, **QUICK)
        for wanted in ("nobody", "tiny@7", "tiny@nothing"):
            self.assertEqual(machine.trainctl("start", str(tuned), "--from", wanted).returncode, 5)

        machine.told("start", str(tuned), "--from", "tiny")
        # Whatever becomes of the other run.
        shutil.rmtree(f'{source["run_folder"]}/checkpoints')
        machine.until_state("completed", run="tuned")
        run = machine.status("tuned")["run"]
        self.assertEqual(run["started_from"], f'tiny@{source["checkpoint"]["file"]}')
        self.assertAlmostEqual(run["valid_loss"], source["run"]["valid_loss"], places=4)

        other = machine.write_run(name="other", epochs=1, **{**QUICK, "hidden": 32})
        refused = machine.trainctl("start", str(other), "--from", "tuned")
        self.assertEqual(refused.returncode, 1, refused.stderr)
        self.assertIn("hidden", refused.stderr)

    def test_a_damaged_checkpoint_is_passed_over(self):
        machine = self.machine().boot()
        machine.start_run(**QUICK, epochs=1)
        machine.until_state("completed")
        newest, older = machine.told("checkpoints")["checkpoints"][:2]
        path = f'{machine.status()["run_folder"]}/checkpoints/{newest["file"]}'
        with open(path, "r+b") as file:
            file.seek(-100, os.SEEK_END)
            file.write(b"\xff" * 50)
        tuned = machine.write_run(name="tuned", epochs=1, train=STILL, **QUICK)
        result = machine.trainctl("start", str(tuned), "--from", "tiny")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(newest["file"], result.stderr)
        self.assertEqual(machine.status("tuned")["run"]["started_from"], f'tiny@{older["file"]}')
        named = machine.trainctl("start", str(tuned), "--name", "again", "--from",
                                 f'tiny@{newest["file"]}')
        self.assertEqual(named.returncode, 5, named.stderr)


class EndReasonTest(MachineTest):
    def assert_ends(self, machine, reason, words):
        machine.until_state("completed")
        run = machine.status()["run"]
        self.assertEqual((run["end_reason"], run["reason"]), (reason, words))
        self.assertTrue(any(words in mail for mail in machine.mails().values()) or
                        until("the last mail is sent", lambda: any(
                            words in mail for mail in machine.mails().values())))
        refused = machine.trainctl("resume", "tiny", "--epochs", "50")
        self.assertEqual(refused.returncode, 6, refused.stderr)

    def test_early_stop(self):
        machine = self.machine().boot()
        machine.start_run(**QUICK, epochs=20, train=f'{STILL}\nbest = "exact"\npatience = 1')
        self.assert_ends(machine, "early_stop", "early stop: no better exact match for 1 epoch")
        self.assertEqual(machine.status()["run"]["measure"], "exact")
        self.assertEqual(machine.status()["run"]["epoch"], 2)

    def test_step_limit(self):
        machine = self.machine().boot()
        machine.start_run(**QUICK, epochs=20, train="max_steps = 50")
        self.assert_ends(machine, "step_limit", "step limit: 50 steps")
        self.assertEqual(machine.status()["run"]["step"], 50)


if __name__ == "__main__":
    unittest.main()
