"""What cannot work is refused at once, with the reason; what can waits its turn."""

import os
import unittest

from machine import MachineTest


class RefusalTest(MachineTest):
    def refusal(self, machine, path):
        """The message of a start that is refused."""
        result = machine.trainctl("start", str(path))
        self.assertNotEqual(result.returncode, 0)
        self.assertEqual(result.stdout, "")
        self.assertEqual(machine.told("runs")["runs"], [], "nothing is queued")
        return result.stderr

    def test_bad_run_files_and_corpora_are_refused_with_the_place(self):
        machine = self.machine().boot()
        path = machine.write_run()
        good = path.read_text(encoding="utf-8")
        corpus = machine.folder / "words.txt"
        words = corpus.read_text(encoding="utf-8")

        path.write_text(good.replace("epochs =", "epoch ="), encoding="utf-8")
        message = self.refusal(machine, path)
        self.assertIn("tiny.toml", message)
        self.assertIn("epochs", message)

        path.write_text(good.replace("dropout = 0.1", "dropout = 1.5"), encoding="utf-8")
        self.assertIn("dropout", self.refusal(machine, path))

        path.write_text(good.replace("words.txt", "absent.txt"), encoding="utf-8")
        self.assertIn("absent.txt", self.refusal(machine, path))

        path.write_text(good, encoding="utf-8")
        corpus.write_text("", encoding="utf-8")
        self.assertIn("words.txt", self.refusal(machine, path))

        corpus.write_bytes(words.encode() + b"ab\xffcd\n")
        message = self.refusal(machine, path)
        self.assertIn("words.txt", message)
        self.assertIn("1601", message)

        path.write_text(good.replace('format = "lines"', 'format = "tsv"'), encoding="utf-8")
        corpus.write_text(words, encoding="utf-8")
        self.assertIn("tab", self.refusal(machine, path))

        path.write_text(good, encoding="utf-8")
        machine.told("start", str(path))

    def test_a_device_that_is_not_there_is_refused_with_what_to_do(self):
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # the machine may have a GPU
        self.addCleanup(os.environ.pop, "CUDA_VISIBLE_DEVICES")
        machine = self.machine().boot()
        path = machine.write_run()
        good = path.read_text(encoding="utf-8")
        path.write_text(good.replace("threads = 1", 'device = "cuda"'), encoding="utf-8")
        self.assertIn('device "cuda": ', self.refusal(machine, path))

        path.write_text(good.replace("batch_size = 16", 'batch_size = "fit"'), encoding="utf-8")
        self.assertIn("give a number", self.refusal(machine, path))

    def test_runs_wait_their_turn_and_the_queue_outlives_the_daemon(self):
        machine = self.machine().boot()
        for name in ("first", "second", "third"):
            machine.start_run(name=name, epochs=2)
        result = machine.trainctl("start", str(machine.folder / "second.toml"))
        self.assertEqual(result.returncode, 6, "the name is taken: " + result.stderr)
        machine.until_step(20, run="first")
        self.assertTrue(machine.in_state("queued", run="second"))
        self.assertTrue(machine.in_state("queued", run="third"))
        self.assertEqual(machine.trainctl("stop", "second").returncode, 0)
        self.assertTrue(machine.in_state("stopped", run="second"))

        machine.kill_daemon()
        machine.boot()
        self.assertTrue(machine.in_state("queued", run="third"))
        machine.until_state("completed", run="first")
        machine.until_state("completed", run="third")
        self.assertTrue(machine.in_state("stopped", run="second"))
        begun, ended = (dict(machine.rows(f"SELECT name, {column}_micros FROM runs"))
                        for column in ("started", "finished"))
        self.assertLessEqual(ended["first"], begun["third"])
        self.assertEqual(begun["second"], 0)


if __name__ == "__main__":
    unittest.main()
