"""Start, mails, status, metrics, completed: the whole chain, undisturbed."""

import csv
import io
import subprocess
import unittest

from machine import WORKER, MachineTest


class WholeChainTest(MachineTest):
    def test_a_run_trains_is_recorded_mailed_and_answers(self):
        machine = self.machine().boot()
        started = machine.start_run(epochs=2)
        self.assertEqual(started["run"]["name"], "tiny")
        self.assertGreater(started["train_examples"], 1000)
        self.assertGreater(started["valid_examples"], 100)

        self.assertEqual(machine.trainctl("wait", "--timeout", "5m").returncode, 0)
        status = machine.status()
        run = status["run"]
        self.assertEqual((run["state"], run["epoch"], run["epochs"]), ("completed", 2, 2))
        self.assertIn("epochs", run["reason"])
        self.assertIsNotNone(run["finished"])
        self.assertEqual(run["restarts"], 0)
        self.assertEqual(status["device"], "cpu")
        self.assertTrue(status["device_reason"])
        self.assertRegex(status["digest"], "^[0-9a-f]{16}$")
        for figure in ("exact", "character_accuracy", "correction", "copy_exact"):
            self.assertTrue(0 <= run["scores"][figure] <= 1, figure)
        self.assertGreater(run["scores"]["character_accuracy"], 0)

        self.assert_metrics_are_whole(machine, started["train_examples"], run["step"])
        self.assert_mails_tell_it(machine)
        self.assert_other_verbs_agree(machine, status)

    def assert_metrics_are_whole(self, machine, examples, last_step):
        record = machine.record()
        batches = -(-examples // 16)
        self.assertEqual(last_step, 2 * batches)
        steps = [row[0] for row in record["metrics"]]
        self.assertEqual(steps, sorted(set(steps)))
        self.assertEqual(steps[0], 10)
        self.assertEqual([row[0] for row in record["epochs"]], [1, 2])
        self.assertEqual(record["epochs"][-1][-1], record["digest"])
        self.assertLess(record["epochs"][-1][3], record["metrics"][0][5], "the loss falls")
        table = list(csv.DictReader(io.StringIO(machine.trainctl("metrics", "--csv").stdout)))
        self.assertEqual([int(row["step"]) for row in table], steps)

    def assert_mails_tell_it(self, machine):
        rows = machine.rows("SELECT kind, state, attempts FROM outbox ORDER BY id")
        self.assertEqual(rows, [(kind, "sent", 1) for kind in ("start", "epoch", "epoch", "end")])
        mails = list(machine.mails().values())
        self.assertEqual(len(mails), 4)
        threads = {line for mail in mails for line in mail.splitlines()
                   if line.startswith("References:")}
        self.assertEqual(len(threads), 1, "the mails of a run are one thread")
        self.assertTrue(all("Auto-Submitted: auto-generated" in mail for mail in mails))
        self.assertTrue(any("Current accuracy =3D" in mail or "Current accuracy = " in mail
                            for mail in mails))

    def assert_other_verbs_agree(self, machine, status):
        self.assertEqual([run["id"] for run in machine.told("runs")["runs"]],
                         [status["run"]["id"]])
        checkpoints = machine.told("checkpoints")["checkpoints"]
        self.assertEqual(checkpoints[0]["digest"], status["digest"])
        for checkpoint in checkpoints:
            path = f'{status["run_folder"]}/checkpoints/{checkpoint["file"]}'
            with open(path, "rb") as file:
                self.assertEqual(len(file.read()), checkpoint["bytes"])
        answers = machine.trainctl("translate", stdin="abcd\nponm\n")
        self.assertEqual(answers.returncode, 0, answers.stderr)
        self.assertEqual(len(answers.stdout.splitlines()), 2)
        several = machine.trainctl("translate", "--beam", "4", "--n-best", "2", stdin="abcd\nponm\n")
        self.assertEqual(several.returncode, 0, several.stderr)
        self.assertEqual(len(several.stdout.splitlines()), 6)
        self.assertRegex(several.stdout, r"^-\d+\.\d{4}\t")
        self.assertEqual(machine.trainctl("plot").returncode, 0)
        self.assertEqual(machine.trainctl("status", "nobody").returncode, 5)
        self.assertEqual(machine.trainctl("stop").returncode, 6)
        machine.stop_daemon()
        self.assertEqual(machine.trainctl("status").returncode, 3)


class ForegroundWorkerTest(MachineTest):
    def worker(self, machine, *words, stdin=None):
        result = subprocess.run([WORKER, *words], cwd=machine.folder, input=stdin, text=True,
                                capture_output=True, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def test_a_run_in_the_foreground_equals_one_under_the_daemon(self):
        machine = self.machine().boot()
        path = machine.write_run(epochs=1)
        self.worker(machine, "train", str(path))
        lines = "abcd\n\nponm\n"
        answers = self.worker(machine, "translate", "--folder", "tiny", stdin=lines)
        self.assertEqual(len(answers.splitlines()), 3)

        machine.start_run(epochs=1)
        machine.until_state("completed")
        self.assertEqual(machine.trainctl("translate", stdin=lines).stdout, answers)
        newest = machine.status()["checkpoint"]["file"]
        alone = machine.folder / "tiny" / "checkpoints" / newest
        self.assertTrue(alone.exists(), "the same steps end in the same file name")


if __name__ == "__main__":
    unittest.main()
