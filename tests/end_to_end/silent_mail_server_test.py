"""A mail server that takes connections and says nothing never delays a training step."""

import email
import pathlib
import subprocess
import sys
import time
import unittest

from machine import MachineTest, until

SMTP_SERVER = pathlib.Path(__file__).parents[1] / "notifier" / "smtp_server.py"
MAIL = """transport = "smtp"
host = "127.0.0.1"
port = {port}
tls = "none"
to = ["me@example.org"]
timeout_seconds = 5"""


class SilentMailServerTest(MachineTest):
    def start_server(self, machine_folder, behaviour):
        """Starts the server; returns its port. Its plan is the file `plan`."""
        self.inbox = machine_folder / "inbox"
        self.plan = machine_folder / "plan"
        self.plan.write_text(behaviour + "\n", encoding="utf-8")
        server = subprocess.Popen(
            [sys.executable, SMTP_SERVER, "--folder", self.inbox, "--tls", "none",
             "--plan", self.plan], stdout=subprocess.PIPE, text=True)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        return int(server.stdout.readline().split()[1])

    def test_training_and_answers_go_on_and_the_mails_arrive_later(self):
        undisturbed = self.machine(mail='transport = "none"').boot()
        undisturbed.start_run()
        undisturbed.until_state("completed")

        machine = self.machine()
        port = self.start_server(machine.folder, "silent")
        machine.replace_in_config('transport = "folder"', MAIL.format(port=port))
        machine.boot()
        machine.start_run()
        until("the daemon waits for the server", lambda: "connected" in self.events())
        slowest = 0
        while not machine.in_state("completed"):
            begin = time.monotonic()
            machine.status()
            slowest = max(slowest, time.monotonic() - begin)
        self.assertLess(slowest, 2, "status waits for nobody's mail server")
        self.assertEqual(machine.record(), undisturbed.record())
        self.assertEqual(self.delivered(), [])
        self.assertGreater(machine.status()["mails_waiting"], 0)

        self.plan.write_text("ok\n", encoding="utf-8")
        # The silent attempt has to run into its time-out; then nobody waits for the next one.
        until("an attempt has failed", lambda: machine.status()["mail_error"])
        self.assertEqual(machine.told("mail", "retry"), {"mails": 5})
        until("all mails are delivered", lambda: len(self.delivered()) == 5)
        subjects = self.delivered()
        self.assertEqual(len(set(subjects)), 5, subjects)
        until("no mail waits", lambda: machine.status()["mails_waiting"] == 0)
        self.assertEqual(machine.rows("SELECT count(*) FROM outbox WHERE state = 'sent'"), [(5,)])

    def events(self):
        path = self.inbox / "events.jsonl"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def delivered(self):
        """Subjects of what arrived."""
        return [email.message_from_bytes(path.read_bytes())["Subject"]
                for path in sorted(self.inbox.glob("*.eml"))]


if __name__ == "__main__":
    unittest.main()
