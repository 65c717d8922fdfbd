"""The SMTP password is nowhere but in its file and on the encrypted wire; readers do not disturb."""

import os
import pathlib
import resource
import signal
import subprocess
import sys
import unittest

import canary
from machine import MachineTest, children_of, until

sys.path.append(str(pathlib.Path(__file__).parents[1] / "faults"))
from inbox import Inbox  # noqa: E402

CANARY = "canary-4b1d90ce"
SMALL = {"hidden": 32, "words": 400}


def with_canary(case, machine):
    """A mail server that asks for the canary, and a machine that knows it."""
    inbox = Inbox(case, machine.folder, password=CANARY)
    machine.replace_in_config('transport = "folder"', inbox.settings())
    return inbox


class SecretsTest(MachineTest):
    def read_processes(self, machine, places):
        """What anybody may read of them, and what only their owner may."""
        pids = [machine.daemon.pid, *children_of(machine.daemon.pid)]
        for pid in pids:
            for name in ("cmdline", "environ", "comm", "status"):
                places[f"/proc/{pid}/{name}"] = pathlib.Path(f"/proc/{pid}/{name}").read_bytes()
        return len(pids)

    def read_files(self, folder, places, but=()):
        for path in folder.rglob("*"):
            if path.is_file() and path not in but:
                places[str(path)] = path.read_bytes()

    def test_the_smtp_password_is_told_to_nobody(self):
        machine = self.machine()
        inbox = with_canary(self, machine)
        machine.replace_in_config("[worker]", "[worker]\nmax_restarts = 1")
        config = machine.config.read_text(encoding="utf-8")
        machine.config.write_text(config + '[log]\nlevel = "trace"\n', encoding="utf-8")
        machine.boot()
        machine.start_run(epochs=10, **SMALL)
        machine.until_worker()
        places = {}
        self.assertGreaterEqual(self.read_processes(machine, places), 2)
        # A login that is refused is told about, with what the server said.
        inbox.write_password(CANARY + "x")
        machine.told("mail", "test")
        until("the login is refused", lambda: machine.status()["mail_error"])
        inbox.write_password(CANARY)
        machine.told("mail", "retry")
        machine.until_state("completed")
        until("the mails are sent", lambda: machine.status()["mails_waiting"] == 0)
        self.assertTrue(all(event["right"] for event in inbox.events("login")[-1:]))
        self.assertGreaterEqual(len(inbox.mails()), 4)
        for words in (("status",), ("mail", "list"), ("runs",), ("logs",), ("metrics",),
                      ("checkpoints",)):
            told = machine.trainctl("--json", *words)
            places[f"trainctl {words}"] = (told.stdout + told.stderr).encode()
        printed = subprocess.run([os.environ["TRAIND"], "--config", machine.config,
                                  "--print-config"], capture_output=True, check=True)
        places["traind --print-config"] = printed.stdout + printed.stderr
        machine.stop_daemon()
        self.read_files(machine.folder, places, but=(machine.folder / "password",))
        self.assertEqual(canary.hits(CANARY, places), [])
        for what in ("traind.db", ".safetensors", "traind.log", "worker.log", "run.toml", ".eml",
                     "environ"):
            self.assertTrue(any(name.endswith(what) for name in places), what)

    def test_the_search_finds_what_is_hidden_in_each_of_these_places(self):
        machine = self.machine(mail='transport = "smtp"\nhost = "127.0.0.1"\nport = 1\n'
                                    f'to = ["me@example.org"]\nfrom = "{CANARY}@example.org"')
        machine.environment["NOT_SO_SECRET"] = CANARY
        machine.boot()
        machine.start_run(name=CANARY, epochs=3, **SMALL)
        machine.until_worker()
        places = {}
        self.read_processes(machine, places)
        places["status"] = machine.trainctl("--json", "status").stdout.encode()
        machine.until_state("completed")
        machine.stop_daemon()
        self.read_files(machine.folder, places)
        found = canary.hits(CANARY, places)
        for what in ("environ", "status", "traind.log", "traind.db", "run.toml", ".safetensors"):
            self.assertTrue(any(name.endswith(what) for name in found), (what, found))
        # As a login has it, wherever in the line it begins.
        for before in ("", "b", "bo", "bot"):
            written = subprocess.run(["base64"], input=f"{before}{CANARY}\n".encode(),
                                     capture_output=True, check=True).stdout
            self.assertEqual(canary.hits(CANARY, {"a dump": written}), ["a dump"])

    def check_config(self, machine):
        """Ends with the status for a wrong configuration, and does not say the password."""
        result = subprocess.run([os.environ["TRAIND"], "--config", machine.config,
                                 "--check-config"], capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 78, result.stderr)
        self.assertEqual(canary.hits(CANARY, {"what it said": (result.stderr +
                                                               result.stdout).encode()}), [])
        return result.stderr

    def test_a_password_that_others_can_read_is_refused(self):
        machine = self.machine(mail='transport = "smtp"\nhost = "127.0.0.1"\nuser = "bot"\n'
                                    'to = ["me@example.org"]\npassword_file = "password"')
        secret = machine.folder / "password"
        secret.write_text(CANARY + "\n", encoding="utf-8")
        for mode in (0o644, 0o640, 0o604, 0o620, 0o602, 0o610):
            secret.chmod(mode)
            self.assertIn("chmod 600", self.check_config(machine), oct(mode))
        secret.chmod(0o600)
        secret.rename(machine.folder / "real")
        os.mkfifo(secret, 0o600)
        self.assertIn("not a regular file", self.check_config(machine))

    def test_a_password_in_the_configuration_is_no_password(self):
        machine = self.machine(mail='transport = "smtp"\nhost = "127.0.0.1"\nuser = "bot"\n'
                                    f'to = ["me@example.org"]\npassword = "{CANARY}"')
        machine.environment.update(TRAIND_PASSWORD=CANARY, SMTP_PASSWORD=CANARY)
        self.assertIn("password", self.check_config(machine))
        machine.replace_in_config(f'password = "{CANARY}"', "")
        self.assertIn("password_file", self.check_config(machine))

    def test_a_password_that_others_can_read_since_is_not_sent(self):
        machine = self.machine()
        inbox = with_canary(self, machine)
        machine.boot()
        (machine.folder / "password").chmod(0o644)
        machine.told("mail", "test")
        until("that is told", lambda: "can be read by others" in machine.log_text())
        self.assertEqual(inbox.events("login"), [])


class CoreTest(MachineTest):
    """A daemon that crashes leaves no image of its memory, whatever the machine's settings."""

    def setUp(self):
        before = resource.getrlimit(resource.RLIMIT_CORE)
        self.addCleanup(lambda: resource.setrlimit(resource.RLIMIT_CORE, before))
        resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
        if before[1] == 0:
            self.skipTest("no process here may leave a core")

    def crash(self, process):
        # The default action is a core, and no sanitizer takes it for itself.
        os.kill(process.pid, signal.SIGQUIT)
        _, status = os.waitpid(process.pid, 0)
        process.returncode = -os.WTERMSIG(status)
        self.assertEqual(os.WTERMSIG(status), signal.SIGQUIT)
        return os.WCOREDUMP(status)

    def test_no_core_of_the_daemon_is_dumped(self):
        machine = self.machine()
        with_canary(self, machine)
        other = subprocess.Popen(["sleep", "60"], cwd=machine.folder)
        if not self.crash(other):
            self.skipTest("the kernel dumps no core of any process here")
        machine.boot()
        machine.told("mail", "test")
        self.assertFalse(self.crash(machine.daemon))


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
