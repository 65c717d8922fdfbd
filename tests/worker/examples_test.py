#!/usr/bin/python3
"""Every run file of examples/ is one that `traind-worker check` takes as it is.

    examples_test.py TRAIND-WORKER PROTO-FOLDER EXAMPLES-FOLDER

A run file whose data comes in a package that is not installed is skipped, and says so.
"""

import pathlib
import struct
import subprocess
import sys
import tempfile
import tomllib
import unittest

WORKER, PROTO, EXAMPLES = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
GENERATED = tempfile.TemporaryDirectory()
subprocess.run(["protoc", "-I", PROTO, "--python_out", GENERATED.name,
                PROTO + "/traind/v1/worker.proto"], check=True)
sys.path.insert(0, GENERATED.name)
from traind.v1 import worker_pb2  # noqa: E402


def report_of(path):
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([WORKER, "check", str(path), "--folder", folder],
                              capture_output=True, timeout=60, check=True)
    size, = struct.unpack("<I", done.stdout[:4])
    return worker_pb2.CheckReport.FromString(done.stdout[4:4 + size]), done.stderr


class ExamplesTest(unittest.TestCase):
    def test_there_are_some(self):
        self.assertGreaterEqual(len(list(EXAMPLES.glob("*.toml"))), 6)


def add_test(path):
    def test(self):
        text = path.read_text(encoding="utf-8")
        data = path.parent / tomllib.loads(text)["data"]["train"]
        if not data.exists():
            self.skipTest(f"{data} is not there: its package is not installed")
        report, talk = report_of(path)
        self.assertEqual((report.kind, report.message), ("", ""))
        self.assertEqual(report.name, path.stem)
        self.assertGreater(report.train_examples, 100)
        self.assertGreater(report.valid_examples, 10)
        self.assertEqual(talk, b"")
        head = text[:text.index("name =")]
        self.assertTrue(all(line.startswith("# ") for line in head.splitlines()))
        self.assertIn(f"train examples/{path.name}", head, "the command stands in its comment")

    setattr(ExamplesTest, "test_" + path.stem.replace("-", "_"), test)


for example in EXAMPLES.glob("*.toml"):
    add_test(example)

if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
