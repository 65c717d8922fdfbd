#!/usr/bin/python3
"""The worker with subwords, in the one process that holds sentencepiece and protobuf both.

    subwords_test.py TRAIND-WORKER
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

WORKER = sys.argv[1]

# The machine may have a GPU; that is not what this is about.
os.environ["CUDA_VISIBLE_DEVICES"] = ""

RUN_FILE = """
name = "run"
[data]
format = "tsv"
train = "train.tsv"
source_tokens = "subwords"
target_tokens = "subwords"
vocabulary = 40
valid_fraction = 0.1
[model]
layers = 1
hidden = 16
[train]
epochs = 1
threads = 1
"""


def symbols(program):
    done = subprocess.run(["nm", "-D", "-C", program], capture_output=True, check=True,
                          text=True)
    return [line for line in done.stdout.splitlines() if "google::protobuf" in line]


class SubwordsTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)

    def worker(self, *arguments, text=None):
        return subprocess.run([WORKER, *arguments], cwd=self.folder, input=text, timeout=60,
                              capture_output=True, encoding="utf-8")

    def test_a_checkpoint_alone_suffices_to_translate(self):
        lines = [f"bada{i % 7} dubi{i % 11}\tdubi{i % 11} bada{i % 7}\n" for i in range(300)]
        (self.folder / "train.tsv").write_text("".join(lines), encoding="utf-8")
        (self.folder / "run.toml").write_text(RUN_FILE, encoding="utf-8")
        trained = self.worker("train", "run.toml")
        self.assertEqual(trained.returncode, 0, trained.stderr)
        self.assertNotIn("trainer_interface", trained.stderr, "sentencepiece is silent")
        (self.folder / "train.tsv").unlink()
        answered = self.worker("translate", "run", text="bada1 dubi2\nbada3 dubi4\n")
        self.assertEqual(answered.returncode, 0, answered.stderr)
        self.assertEqual(answered.stdout.count("\n"), 2)

    def test_its_protobuf_and_sentencepieces_do_not_meet(self):
        loaded = subprocess.run(["ldd", WORKER], capture_output=True, check=True, text=True).stdout
        self.assertIn("libsentencepiece", loaded)
        self.assertNotIn("libprotobuf", loaded)
        self.assertEqual(symbols(WORKER), [], "a symbol of protobuf is shared with other libraries")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
