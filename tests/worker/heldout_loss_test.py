"""Trains tiny runs and has examples/pytorch compute their held-out loss from their checkpoints.

    heldout_loss_test.py WORKER EXAMPLE

Exit status 77 (skipped, see CMakeLists.txt) where PyTorch is not installed.
"""
import importlib.util
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

if missing := [name for name in ("torch", "numpy") if not importlib.util.find_spec(name)]:
    print(f"skipped: {missing[0]} is not installed; Debian and Ubuntu have it as "
          f"python3-{missing[0]}")
    sys.exit(77)

WORKER, EXAMPLE = (pathlib.Path(path).resolve() for path in sys.argv[1:3])

SUMS = '[data]\ntrain = "sums.tsv"\nvalid_fraction = 0.2\n'
WORDS = ('[data]\nformat = "lines"\ntrain = "lines.txt"\nvalid_fraction = 0.2\n'
         'source_tokens = "words"\nvocabulary = 12\n[noise]\nlines = 1.0\n')
TEXT = '[data]\nformat = "text"\ntrain = "lines.txt"\nvalid_fraction = 0.2\n'
RUNS = {
    "attentive": SUMS + '[model]\nlayers = 2\nhidden = 12\nbidirectional = true\n'
                        'attention = "general"\ntied_embeddings = true\ndropout = 0.1\n',
    "gru": WORDS + '[model]\ncell = "gru"\nlayers = 2\nhidden = 12\nbidirectional = true\n'
                   'attention = "general"\n',
    "language": TEXT + '[model]\nkind = "language"\nlayers = 2\nhidden = 12\nembedding = 5\n',
    "tied_language": TEXT + '[model]\nkind = "language"\ncell = "gru"\nlayers = 1\nhidden = 12\n'
                            'tied_embeddings = true\n',
}
TRAINING = '[train]\nepochs = 2\nbatch_size = 16\nlearning_rate = 0.01\nthreads = 1\n'


def recorded_loss(checkpoint):
    """What the run says of the held-out examples after its last epoch."""
    content = checkpoint.read_bytes()
    size = int.from_bytes(content[:8], "little")
    metadata = json.loads(content[8:8 + size])["__metadata__"]
    return float.fromhex(metadata["traind.results"].split()[-1])


class HeldOutLossTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = pathlib.Path(scratch.name)
        (cls.folder / "sums.tsv").write_text(
            "".join(f"{a}+{b}\t{a + b}\n" for a in range(12) for b in range(10)))
        # A vocabulary cut short, a backslash, and letters of more than one byte.
        (cls.folder / "lines.txt").write_text(
            "".join(f"the {i % 7} über\\ {'αβγδ'[i % 4]} word {i}\n" for i in range(100)),
            encoding="utf-8")

    def run_here(self, *command):
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_pytorch_computes_the_loss_that_the_run_recorded(self):
        for name, settings in RUNS.items():
            with self.subTest(name):
                run_file = self.folder / f"{name}.toml"
                run_file.write_text(f'name = "{name}"\n{settings}{TRAINING}')
                self.run_here(WORKER, "train", run_file)
                held_out = self.folder / f"{name}.tsv"
                held_out.write_text(self.run_here(WORKER, "heldout", name), encoding="utf-8")
                checkpoint = max((self.folder / name / "checkpoints").iterdir())
                said = self.run_here(sys.executable, EXAMPLE, checkpoint, held_out)
                loss, examples = re.match(r"(\S+) nats a token over (\d+) examples", said).groups()
                self.assertEqual(int(examples), len(held_out.read_text("utf-8").splitlines()))
                expected = recorded_loss(checkpoint)
                self.assertLess(abs(float(loss) - expected), 1e-4 * expected)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
