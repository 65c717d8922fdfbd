"""A clock that jumps by an hour or ten years, both ways, while a run trains and mails go out.

libfaketime moves the time of day of the daemon, its workers and trainctl; the steady clock stays
true. The run must go the way of the undisturbed one, each mail come once and in order, no wait get
stuck or end early, and no duration be negative or longer than the test has lasted.
"""

import glob
import json
import os
import signal
import subprocess
import sys
import time
import unittest

from fault_case import record_soak
from inbox import Inbox, excess_copies, out_of_order, told_epochs, unaccounted
from machine import TRAINCTL, MachineTest, until

LIBRARIES = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
# Longer than any test: it is stopped in the end, and held against as much of the undisturbed one.
RUN = {"epochs": 2000, "hidden": 96, "words": 1000, "report": 10, "checkpoint": 10}
YEARS = 10 * 365 * 86400
JUMPS = {"an hour ahead": 3600, "an hour back": -3600, "ten years ahead": YEARS,
         "ten years back": -YEARS, "right again": 0}


class ClockTest(MachineTest):
    def faked(self, folder):
        """What makes a program see the clock that jump() sets."""
        return {"LD_PRELOAD": LIBRARIES[0], "FAKETIME_TIMESTAMP_FILE": str(folder / "clock"),
                "FAKETIME_NO_CACHE": "1", "DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1"}

    def jump(self, seconds):
        new = self.machine_.folder / "clock.new"
        new.write_text(f"{seconds:+d}\n", encoding="utf-8")
        new.rename(self.machine_.folder / "clock")

    def disturbed_machine(self):
        machine = self.machine_ = self.machine(worker="stall_timeout_seconds = 2")
        self.jump(0)
        machine.environment.update(self.faked(machine.folder))
        inbox = Inbox(self, machine.folder, certificate_environment={
            "LD_PRELOAD": LIBRARIES[0], "FAKETIME": "-20y"})
        machine.replace_in_config('transport = "folder"', inbox.settings(first=0.05, longest=0.2))
        return machine.boot(), inbox

    def trainctl_process(self, machine, *words):
        process = subprocess.Popen([TRAINCTL, "-H", f"unix://{machine.socket}", *words],
                                   env={**os.environ, **machine.environment}, text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def check_durations(self, told, longest, path=""):
        """No "..._seconds" in what --json tells is negative or beyond all that has passed."""
        if isinstance(told, dict):
            for key, value in told.items():
                self.check_durations(value, longest, f"{path}.{key}")
        elif isinstance(told, list):
            for value in told:
                self.check_durations(value, longest, path)
        elif isinstance(told, (int, float)) and path.endswith("_seconds"):
            self.assertGreaterEqual(told, 0, path)
            self.assertLess(told, longest, path)

    def check_words(self, text):
        self.assertNotRegex(text, r"(?<![\w.])-\d+(\.\d+)?\s?(h|m|s|days|hours|min)\b")

    def test_a_run_and_its_mails_do_not_mind(self):
        # Beside the other one, to be quick.
        undisturbed = self.machine(mail='transport = "none"').boot()
        undisturbed.start_run(**RUN)
        machine, inbox = self.disturbed_machine()
        begin = time.monotonic()
        machine.start_run(**RUN)
        machine.until_worker()
        watch = self.trainctl_process(machine, "--json", "watch")
        wait = self.trainctl_process(machine, "wait", "--timeout", "10m")
        slowest = 0
        for name, seconds in JUMPS.items():
            asked = time.monotonic()
            self.under_this_clock(machine, inbox, name, seconds)
            status = machine.status()
            self.assertEqual(status["run"]["state"], "running", "the test is for a run at work")
            slowest = max(slowest, time.monotonic() - asked)
            self.check_durations(status, time.monotonic() - begin + 1)
            self.check_words(machine.trainctl("status").stdout)
        machine.trainctl("stop")
        machine.until_state("stopped")
        lines = [json.loads(line) for line in watch.communicate(timeout=20)[0].splitlines()]
        self.assertEqual(watch.returncode, 0)
        self.assertEqual(wait.wait(20), 7, "it has seen the run stop, and not run out of time")
        longest = time.monotonic() - begin + 1
        self.check_end(machine, undisturbed, lines, longest)
        self.check_mails(machine, inbox)
        record_soak("clock", {"jumps": len(JUMPS), "restarts": machine.status()["run"]["restarts"],
                              "mails": len(inbox.mails()), "slowest_phase_seconds": slowest,
                              "negative_durations": 0, "repeated_mails": 0})

    def under_this_clock(self, machine, inbox, name, seconds):
        """The clock jumps; then everything that waits for a time must still come in time."""
        inbox.stop()  # a mail waits for its next attempt while the clock jumps
        machine.told("mail", "test")
        self.until_attempts(machine, 1)
        self.jump(seconds)
        self.until_attempts(machine, 2)
        self.assertEqual(machine.status()["mails_dead"], 0)
        inbox.start()
        begin = time.monotonic()
        until("the mail goes", lambda: not self.waiting_tests(machine))
        self.assertLess(time.monotonic() - begin, 5, "an attempt within a few waits")
        if name == "ten years ahead":
            restarts = machine.status()["run"]["restarts"]
            os.kill(machine.until_worker(), signal.SIGKILL)
            machine.until_restart(restarts + 1)
        if name == "ten years back":
            self.stall(machine)
        step = machine.step()
        until("it trains on", lambda: machine.step() > step)

    def stall(self, machine):
        """A worker that hangs is found by the steady clock."""
        restarts = machine.status()["run"]["restarts"]
        begin = time.monotonic()
        os.kill(machine.until_worker(), signal.SIGSTOP)
        machine.until_restart(restarts + 1)
        self.assertLess(time.monotonic() - begin, 2 + 10)

    def waiting_tests(self, machine):
        return machine.rows("SELECT attempts, state FROM outbox WHERE kind = 'test' "
                            "AND state <> 'sent'")

    def until_attempts(self, machine, more):
        """Waits until more attempts to send something have failed."""
        count = "SELECT coalesce(sum(attempts), 0) FROM outbox"
        before = machine.rows(count)[0][0]
        until("an attempt", lambda: machine.rows(count)[0][0] >= before + more, 20)

    def check_end(self, machine, undisturbed, lines, longest):
        self.check_record(machine, undisturbed)
        sequences = [line["sequence"] for line in lines if line.get("sequence")]
        self.assertEqual(sequences, sorted(set(sequences)))
        told = machine.rows("SELECT sequence FROM events ORDER BY sequence")
        self.assertEqual(sequences, [row[0] for row in told], "watch missed nothing")
        epochs = [line["epoch_done"]["epoch"] for line in lines if line["event"] == "epoch_done"]
        self.assertEqual(epochs, list(range(1, self.last_epoch + 1)))
        self.check_durations(lines, longest)
        self.assertLessEqual(machine.status()["run"]["restarts"], 2, "no false alarm")
        self.check_durations(machine.told("metrics"), longest)
        for table in ("metrics", "epochs", "checkpoints"):
            columns = [row[0] for row in machine.rows(
                "SELECT name FROM pragma_table_info(?) WHERE name LIKE '%\\_seconds' ESCAPE '\\'",
                table)]
            for column in columns:
                least, most = machine.rows(f"SELECT min({column}), max({column}) FROM {table}")[0]
                self.assertGreaterEqual(least, 0, column)
                self.assertLess(most, longest, column)

    def check_record(self, machine, undisturbed):
        """As far as whole epochs go: the same losses, samples and digests."""
        mine = machine.record()
        self.last_epoch, _, last_step = mine["epochs"][-1][:3]
        until("the other run is as far", lambda: undisturbed.rows(
            "SELECT 1 FROM epochs WHERE epoch = ?", self.last_epoch))
        theirs = undisturbed.record()
        for what, end in (("epochs", self.last_epoch), ("samples", self.last_epoch),
                          ("metrics", last_step)):
            self.assertEqual([row for row in mine[what] if row[0] <= end],
                             [row for row in theirs[what] if row[0] <= end])

    def check_mails(self, machine, inbox):
        until("no mail waits", lambda: machine.status()["mails_waiting"] == 0)
        mails = inbox.mails()
        rows = machine.rows("SELECT id, recipient, kind, key, state, folded_into FROM outbox")
        self.assertEqual(unaccounted(rows, mails), [])
        self.assertEqual(excess_copies(mails, []), [], "no mail came twice")
        self.assertEqual(out_of_order(mails), [])
        self.assertEqual(told_epochs(mails, "me@example.org"), list(range(1, self.last_epoch + 1)))
        for mail in mails:
            self.check_words(mail["text"])
        self.assertLessEqual(len([mail for mail in mails if mail["kind"] == "restart"]), 2)


if __name__ == "__main__":
    if not LIBRARIES:
        print("skipped: libfaketime is not installed (package faketime)")
        sys.exit(77)
    unittest.main()
