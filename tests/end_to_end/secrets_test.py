"""The SMTP password is nowhere but in its file and on the wire; readers do not disturb."""

import os
import pathlib
import subprocess
import unittest

from machine import MachineTest, children_of, until

CANARY = "canary-4b1d90ce"


class SecretsTest(MachineTest):
    def processes(self, machine):
        return [machine.daemon.pid, *children_of(machine.daemon.pid)]

    def test_the_smtp_password_is_told_to_nobody(self):
        machine = self.machine(mail='transport = "smtp"\nhost = "127.0.0.1"\nport = 1\n'
                                    'tls = "starttls"\nuser = "bot"\nto = ["me@example.org"]\n'
                                    'password_file = "password"')
        secret = machine.folder / "password"
        secret.write_text(CANARY + "\n", encoding="utf-8")
        secret.chmod(0o600)
        machine.boot()
        machine.start_run()
        machine.until_step(20)
        seen = []
        for pid in self.processes(machine):
            for name in ("cmdline", "environ"):
                seen.append(pathlib.Path(f"/proc/{pid}/{name}").read_bytes())
        machine.trainctl("mail", "test")
        machine.trainctl("stop", "--wait")
        for words in (("status",), ("mail", "list"), ("runs",), ("logs",)):
            seen.append(machine.trainctl("--json", *words).stdout.encode())
        machine.stop_daemon()
        for folder, _, names in os.walk(machine.folder):
            for name in names:
                path = pathlib.Path(folder, name)
                if path.is_file() and path != secret:
                    seen.append(path.read_bytes())
        self.assertGreater(len(seen), 10)
        self.assertFalse([text[:200] for text in seen if CANARY.encode() in text])

    def test_a_password_that_others_can_read_is_refused(self):
        machine = self.machine(mail='transport = "smtp"\nhost = "127.0.0.1"\nuser = "bot"\n'
                                    'to = ["me@example.org"]\npassword_file = "password"')
        secret = machine.folder / "password"
        secret.write_text(CANARY + "\n", encoding="utf-8")
        secret.chmod(0o644)
        result = subprocess.run([os.environ["TRAIND"], "--config", machine.config,
                                 "--check-config"], capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 78, result.stderr)
        self.assertIn("password", result.stderr)
        self.assertNotIn(CANARY, result.stderr + result.stdout)


class ReadersTest(MachineTest):
    def test_sqlite3_and_translate_work_beside_training(self):
        machine = self.machine().boot()
        machine.start_run(epochs=4)
        until("a checkpoint is there", lambda: machine.rows("SELECT 1 FROM checkpoints"))
        answers = machine.trainctl("translate", stdin="abcd\nefgh\nijkl\n")
        self.assertEqual(answers.returncode, 0, answers.stderr)
        self.assertEqual(len(answers.stdout.splitlines()), 3)
        shell = subprocess.run(
            ["sqlite3", "-readonly", machine.state / "traind.db",
             "SELECT state, step > 0 FROM run_list; PRAGMA integrity_check;"],
            capture_output=True, text=True, check=False)
        self.assertEqual(shell.stdout, "running|1\nok\n", shell.stderr)
        self.assertTrue(machine.in_state("running"), "all of that happened while it trained")
        # A reader that keeps its view of the database for the whole run holds nobody up.
        reader = subprocess.Popen(["sqlite3", "-readonly", machine.state / "traind.db"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(reader.communicate)
        reader.stdin.write("BEGIN; SELECT 'begun' FROM runs;\n")
        reader.stdin.flush()
        self.assertEqual(reader.stdout.readline(), "begun\n")
        machine.until_state("completed")
        self.assertEqual(len(machine.record()["epochs"]), 4)


if __name__ == "__main__":
    unittest.main()
