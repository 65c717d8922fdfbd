"""Damaged, lost, exchanged and foreign checkpoints, under the real daemon and worker.

A run is stopped in the middle, its newest checkpoint is spoilt, and it is resumed: it must go on
from the next older good one, say so in its events, its log and a mail, and end as the undisturbed
run does. With none that is good it must fail and leave every file as it is.
"""

import email
import email.policy
import os
import unittest

from fault_case import TINY
from machine import Machine, MachineTest, until

EPOCHS = 15


def flip(content, byte):
    return content[:byte] + bytes([content[byte] ^ 1]) + content[byte + 1:]


class DamageTest(MachineTest):
    @classmethod
    def setUpClass(cls):
        cls.undisturbed = {}
        machine = Machine()
        cls.addClassCleanup(machine.remove)
        machine.boot().start_run(epochs=EPOCHS, **TINY)
        machine.until_state("completed")
        cls.undisturbed = machine.record()

    def setUp(self):
        """A run in the middle, stopped, with some checkpoints."""
        self.on = self.machine().boot()
        self.on.start_run(epochs=EPOCHS, **TINY)
        until("three checkpoints", lambda: len(self.steps()) >= 3)
        self.assertEqual(self.on.trainctl("stop", "--wait").returncode, 0)
        self.assertTrue(self.on.in_state("stopped"), "the run is too short to be stopped")

    def folder(self):
        return next((self.on.state / "runs").glob("*/checkpoints"))

    def steps(self):
        """Steps of the checkpoints on disk, newest first."""
        files = (self.on.state / "runs").glob("*/checkpoints/*.safetensors")
        return sorted((int(file.name[11:23]) for file in files), reverse=True)

    def file(self, step):
        return self.folder() / f"checkpoint-{step:012d}.safetensors"

    def contents(self):
        return {path.name: path.read_bytes() for path in self.folder().iterdir()
                if not path.is_dir()}

    def told(self, kind):
        return [text for (text,) in self.on.rows(
            "SELECT text FROM events WHERE kind = ? ORDER BY sequence", kind)]

    def warning(self):
        """The warning mail: subject and text."""
        def found():
            return [mail for name, mail in self.on.mails().items() if "warning" in name]
        until("the warning is mailed", found)
        self.assertEqual(len(found()), 1)
        mail = email.message_from_string(found()[0], policy=email.policy.default)
        return mail["Subject"], mail.get_body(("plain",)).get_content()

    def assert_goes_on_from(self, step, bad, why):
        """Resumed, it passes over the bad steps for a reason like this, and ends as it should."""
        self.on.told("resume", "tiny")
        self.on.until_state("completed")
        self.assertEqual(self.on.record(), self.undisturbed)
        self.assertIn(self.file(step).name, self.told("started")[-1])
        notices = self.told("notice")
        self.assertEqual(len(notices), len(bad), notices)
        for notice, bad_step in zip(notices, bad):
            self.assertIn(self.file(bad_step).name, notice)
            self.assertIn(why, notice)
        self.assertIn(self.file(bad[0]).name, self.on.trainctl("logs", "tiny").stdout +
                      self.on.log_text())
        subject, text = self.warning()
        self.assertIn("warning", subject)
        flat = " ".join(text.split())
        self.assertIn(self.file(bad[0]).name, flat)
        self.assertIn(why, flat)

    def assert_fails_and_touches_nothing(self, why):
        before = self.contents()
        rows = self.on.rows("SELECT step, loss FROM metrics ORDER BY step")
        self.on.told("resume", "tiny")
        self.assertEqual(self.on.trainctl("wait", "tiny").returncode, 7)
        self.on.until_state("failed")
        run = self.on.status()["run"]
        self.assertEqual(run["restarts"], 0)
        self.assertIn(why, run["reason"])
        self.assertEqual(self.contents(), before)
        self.assertEqual(self.on.rows("SELECT step, loss FROM metrics ORDER BY step"), rows)
        until("the failure is mailed", lambda: any(
            "failure" in name for name in self.on.mails()))

    def spoil(self, step, change):
        content = self.file(step).read_bytes()
        self.file(step).write_bytes(change(content))

    def test_cut_off(self):
        newest, older = self.steps()[:2]
        self.spoil(newest, lambda content: content[:len(content) // 2])
        self.assert_goes_on_from(older, [newest], "cut off")

    def test_one_bit_of_the_header(self):
        newest, older = self.steps()[:2]
        self.spoil(newest, lambda content: flip(content, 100))
        self.assert_goes_on_from(older, [newest], "checksum does not fit")

    def test_one_bit_of_the_weights_in_two_of_them(self):
        newest, second, older = self.steps()[:3]
        for step in (newest, second):
            self.spoil(step, lambda content: flip(content, len(content) - 1000))
        self.assert_goes_on_from(older, [newest, second], "checksum does not fit")

    def test_empty(self):
        newest, older = self.steps()[:2]
        self.spoil(newest, lambda content: b"")
        self.assert_goes_on_from(older, [newest], "empty or cut off")

    def test_foreign(self):
        newest, older = self.steps()[:2]
        self.file(newest).unlink()
        os.mkfifo(self.file(newest))
        self.spoil(older, lambda content: b"PK\3\4 something else" * 1000)
        third = self.steps()[2]
        self.on.told("resume", "tiny")
        self.on.until_state("completed")
        self.assertIn(self.file(third).name, self.told("started")[-1])
        self.assertEqual(self.on.record()["digest"], self.undisturbed["digest"])

    def test_missing(self):
        newest, older = self.steps()[:2]
        self.file(newest).unlink()
        self.assert_goes_on_from(older, [newest], "is missing from")

    def test_two_exchanged(self):
        newest, second, older = self.steps()[:3]
        a, b = self.file(newest).read_bytes(), self.file(second).read_bytes()
        self.file(newest).write_bytes(b)
        self.file(second).write_bytes(a)
        self.assert_goes_on_from(older, [newest, second], "it was renamed or is foreign")

    def other_run(self, step, name, **settings):
        """The file of this step, of a run of another kind."""
        other = self.machine().boot()
        other.start_run(**{"name": name, "epochs": EPOCHS, **TINY, **settings,
                           "train": f"max_steps = {step}"})
        other.until_state("completed", run=name)
        return next((other.state / "runs").glob(f"*/checkpoints/*{step:012d}*")).read_bytes()

    def test_of_another_run(self):
        newest, older = self.steps()[:2]
        self.file(newest).write_bytes(self.other_run(newest, "other"))
        self.assert_goes_on_from(older, [newest], 'belongs to run "other"')

    def test_of_an_earlier_run_of_this_name(self):
        newest = self.steps()[0]
        self.file(newest).write_bytes(self.other_run(newest, "tiny", hidden=12))
        # Which of the two is meant, nobody but its owner can know.
        self.assert_fails_and_touches_nothing("model.hidden: was 12, is 8")

    def test_none_is_good(self):
        for number, step in enumerate(self.steps()):
            self.spoil(step, lambda content, cut=number: content[:cut * 500])
        self.assert_fails_and_touches_nothing("none of the")

    def test_none_is_there(self):
        for step in self.steps():
            self.file(step).unlink()
        self.assert_fails_and_touches_nothing("all checkpoints of the run are missing")


if __name__ == "__main__":
    unittest.main()
