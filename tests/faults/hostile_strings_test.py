"""Hostile strings through every door of the real programs, and what comes out of every exit.

Doors: run files, requests, traind.toml, arguments, standard input, corpora, file names, a worker's
events and output, a mail server's replies, a daemon's replies to trainctl. Exits: terminals, pipes,
the daemon's log, mails, systemd's status line, paths. In CI each string goes through each door of
the daemon, and through some of those that cost a process; in the soak through all.
"""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from fault_case import SOAK, record_soak
from hostile_case import (FIGURES, HostileCase, HostileMailServer, check_json, packed, quoted,
                          text_field)
from hostile_strings import BIDI, faults_of, faults_on_terminal, is_text, strings
from machine import TRAINCTL, TRAIND, WORKER, until

HOSTILE_WORKER = pathlib.Path(__file__).with_name("hostile_worker.py")
STRINGS = strings()
TEXTS = [string for _, string in STRINGS if is_text(string)]
ARGUMENTS = [string for _, string in STRINGS if b"\0" not in string]
NAME = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


def some(things, door, share=10):
    """All of them in the soak; else every `share`-th, others for each door."""
    return things if SOAK else things[door % share::share]


class HostileStrings(HostileCase):
    # What people write: run files, requests, names.

    def test_run_files_and_requests(self):
        machine = self.machine(mail='transport = "none"').boot()
        toml = machine.write_run().read_text(encoding="utf-8")
        folder = str(machine.folder)

        def start(**fields):
            order = {"toml": 1, "path": 2, "base": 3, "name": 4, "id": 5, "source": 6}
            fields = {"toml": toml, "path": "run.toml", "base": folder, **fields}
            return self.call(machine, "StartRun", b"".join(
                text_field(order[key], value) for key, value in fields.items()))

        methods = ("GetStatus", "StopRun", "ResumeRun", "WatchRun", "StreamLogs", "ListMetrics",
                   "ListCheckpoints", "SaveCheckpoint", "Translate")
        for number, (_, string) in enumerate(STRINGS):
            self.assertNotEqual(start(toml=b"x = 1\n" + string)[0], 0)
            self.assertNotEqual(start(source=string)[0], 0, string)
            self.assertNotEqual(start(base=b"/nowhere/" + string)[0], 0)
            if not NAME.match(string):
                self.assertNotEqual(start(name=string)[0], 0, string)
            for method in methods if SOAK else [methods[number % len(methods)]]:
                status, message = self.call(machine, method, text_field(1, string))
                self.assertNotEqual(status, 0, (method, string))
            self.call(machine, "ListRuns", text_field(2, string))
        self.assertEqual(self.call(machine, "ListRuns")[0], 0)
        # As values of a run file, which the real worker reads.
        places = {"name": ('name = "tiny"', "name = {}"),
                  "train": ('train = "words.txt"', "train = {}"),
                  "valid": ("valid_fraction = 0.1", "valid = {}"),
                  "choice": ('attention = "general"', "attention = {}"),
                  "device": ("threads = 1", "device = {}")}
        for door, (key, (old, new)) in enumerate(places.items()):
            for string in some(TEXTS, door, 20):
                value = json.dumps(string.decode()).replace("\x7f", "\\u007f")
                if "\\ud" in value:
                    value = json.dumps(string.decode(), ensure_ascii=False).replace("\x7f",
                                                                                    "\\u007f")
                status, _ = start(toml=toml.replace(old, new.format(value)),
                                  path=string if key == "valid" else "run.toml")
                self.assertNotEqual(status, 0, (key, string))
        for door, string in enumerate(some(TEXTS, 7, 14)):
            # A comment, an unknown key, an unknown table, a broken line.
            before = [b"# ", b'"', b"[", b"name = "][door % 4]
            after = [b"", b'" = 1', b"]", b""][door % 4]
            start(toml=before + string + after + b"\nnonsense = 1\n", path=string)
        self.assertEqual(machine.rows("SELECT count(*) FROM runs")[0][0], 0)
        self.assertEqual(list((machine.state / "runs").glob("*")), [], "what was refused is gone")
        self.nothing_was_made(machine)
        self.log_is_harmless(machine)

    def test_names_are_of_a_narrow_alphabet(self):
        machine = self.machine(mail='transport = "none"', program=HOSTILE_WORKER).boot()
        listed = machine.folder / "strings"
        listed.write_bytes(packed(TEXTS))
        # The worker, too, gives a name.
        for string in some(TEXTS, 1, 4) + [b"a" * 65, b"-a", b".a", b"_a", b"a/b", b""]:
            if NAME.match(string) or b'"' in string:
                continue
            toml = b'name = "' + string + f'"\n#strings {listed}\n#does tell\n'.encode()
            status, _ = self.call(machine, "StartRun", text_field(1, toml) + text_field(3, "/tmp"))
            self.assertNotEqual(status, 0, string)
        toml = f'name = "{"a" * 64}"\n#strings {listed}\n#does tell\n'.encode()
        self.assertEqual(self.call(machine, "StartRun", text_field(1, toml) +
                                   text_field(3, "/tmp"))[0], 0)
        self.nothing_was_made(machine)
        self.log_is_harmless(machine)

    # traind.toml, arguments, standard input, file names.

    def test_the_daemons_file(self):
        machine = self.machine()
        places = [("mail", "to", "[{}]"), ("mail", "from", "{}"), ("mail", "host", "{}"),
                  ("mail", "user", "{}"), ("mail", "helo", "{}"), ("mail", "folder", "{}"),
                  ("mail", "password_file", "{}"), ("mail", "ca_file", "{}"),
                  ("listen", "socket", "{}"), ("listen", "tcp", "{}"),
                  ("listen", "socket_group", "{}"), ("worker", "program", "{}"),
                  ("log", "level", "{}"), ("mail", "transport", "{}")]
        for door, (table, key, form) in enumerate(places):
            for string in some(TEXTS, door, 70):
                value = form.format(quoted(string.decode()))
                settings = {"mail": {"transport": '"smtp"', "host": '"localhost"',
                                     "to": '["me@example.org"]', "tls": '"none"'},
                            "listen": {}, "worker": {}, "log": {}}
                settings[table][key] = value
                text = f'state_folder = "{machine.state}"\n' + "".join(
                    f"[{name}]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items())
                    for name, keys in settings.items())
                machine.config.write_text(text, encoding="utf-8", newline="")
                done = self.outcome([TRAIND, "--config", machine.config, "--print-config"],
                                    (key, string))
                if key in ("to", "from"):
                    self.assertEqual(done.returncode, 78, (key, string))
                if done.returncode == 0:
                    # What is printed is a file that means the same.
                    machine.config.write_bytes(done.stdout)
                    again = self.outcome([TRAIND, "--config", machine.config, "--print-config"],
                                         (key, string))
                    self.assertEqual(again.stdout, done.stdout, (key, string))
        for string in some([string for _, string in STRINGS], 3, 8):
            machine.config.write_bytes(b"[mail]\n" + string + b"\nx = 1\n")
            self.outcome([TRAIND, "--config", machine.config, "--check-config"], string)
        self.nothing_was_made(machine)

    def test_arguments_and_standard_input(self):
        machine = self.machine(mail='transport = "none"').boot()
        folder = machine.folder / "arguments"
        folder.mkdir()
        address = ["-H", f"unix://{machine.socket}"]
        doors = [["status", "--", "{}"], ["start", "--", "{}"], ["{}"], ["-H", "{}", "runs"],
                 ["start", machine.config, "--name", "{}"], ["start", machine.config, "--from",
                                                             "{}"],
                 ["logs", "-n", "{}"], ["help", "{}"], ["--{}"], ["wait", "--timeout", "{}"],
                 ["mail", "retry", "{}"], ["metrics", "--json", "--", "{}"]]
        for door, words in enumerate(doors):
            for string in some(ARGUMENTS, door, 48):
                words_now = [string if word == "{}" else b"--" + string if word == "--{}" else word
                             for word in words]
                done = self.outcome([TRAINCTL, *address, *words_now], (words, string), cwd=folder)
                if words[0] != "help":
                    self.assertNotEqual(done.returncode, 0, (words, string))
        for door, program in enumerate(([TRAIND, "--check-config", "--config"], [TRAIND,
                                                                                 "--version"],
                                        [WORKER, "train"], [WORKER, "--version"],
                                        [WORKER, "translate", "--folder"],
                                        [TRAIND, "--print-config", "--state"])):
            for string in some(ARGUMENTS, door, 45):
                self.outcome([*program, string], (program, string), cwd=folder)
        for string in (string for _, string in some(STRINGS, 5, 12)):
            self.outcome([TRAINCTL, *address, "translate"], string, stdin=string + b"\n" + string)
        for string in some(ARGUMENTS, 9, 40):
            self.on_terminal([TRAINCTL, *address, "status", "--", string], string, cwd=folder)
        self.assertEqual(list(folder.iterdir()), [], "nothing was made of an argument")
        self.nothing_was_made(machine)
        self.log_is_harmless(machine)

    def test_file_names(self):
        machine = self.machine(mail='transport = "none"').boot()
        toml = machine.write_run().read_bytes().replace(b'name = "tiny"\n', b"")
        folder = machine.folder / "names"
        folder.mkdir()
        names = [string for string in some(ARGUMENTS, 4, 20)
                 if b"/" not in string and len(string) < 200 and string not in (b".", b"..")]
        for string in names:
            place = os.path.join(os.fsencode(folder), string)
            os.mkdir(place)
            for path in (place + b"/run.toml", os.path.join(place, string + b".toml")):
                pathlib.Path(os.fsdecode(path)).write_bytes(toml)
                self.outcome([TRAINCTL, "-H", f"unix://{machine.socket}", "start", "--", path],
                             path)
                self.outcome([WORKER, "train", "--", path], path, cwd=folder)
            os.unlink(place + b"/run.toml")
            os.unlink(os.path.join(place, string + b".toml"))
            os.rmdir(place)
        # The folder's own names are no more than the run files' names allow.
        self.assertTrue(all(NAME.match(os.fsencode(path.name)) for path in folder.iterdir()))
        self.nothing_was_made(machine)
        self.log_is_harmless(machine)

    # Corpora: held-out lines come back as samples in mails, status and answers.

    def test_corpus_lines(self):
        machine = self.machine().boot()
        run = machine.write_run(epochs=1, hidden=8, words=40, report=4,
                                more="samples = 60\n")
        lines = [string.replace(b"\n", b"").replace(b"\t", b"") for _, string in STRINGS]
        (machine.folder / "words.txt").write_bytes(b"\n".join(lines) + b"\n")
        run.write_text(run.read_text(encoding="utf-8").replace(
            "valid_fraction = 0.1", 'valid_fraction = 0.4\nbad_lines = "skip"\nmax_length = 5000'),
            encoding="utf-8")
        trainctl = [TRAINCTL, "-H", f"unix://{machine.socket}"]
        self.outcome([*trainctl, "start", run], "start")
        machine.until_state("completed")
        self.assertGreater(machine.rows("SELECT count(*) FROM samples")[0][0], 40)
        for words in (["status"], ["status", "--json"], ["watch"], ["watch", "--json"], ["logs"]):
            self.outcome([*trainctl, *words], words)
            self.on_terminal([*trainctl, *words], words, live=words == ["watch"], keys=b"q")
        questions = b"\n".join(line for line in lines if is_text(line)) + b"\n"
        asked = machine.folder / "asked"
        asked.write_bytes(questions)
        self.outcome([*trainctl, "translate", "--json"], "translate --json", stdin=asked)
        until("the mails are written", lambda: machine.rows(
            "SELECT count(*) FROM outbox WHERE state <> 'sent'")[0][0] == 0)
        self.assertGreaterEqual(self.check_mails(machine), 2)
        alone = machine.folder / "alone"
        self.outcome([WORKER, "train", run, "--folder", alone], "in the foreground")
        self.on_terminal([WORKER, "train", run, "--folder", str(alone) + "2"], "on a terminal",
                         live=True)
        self.on_terminal([WORKER, "heldout", alone], "heldout")
        self.log_is_harmless(machine)
        self.nothing_was_made(machine)

    # A worker that is not to be trusted.

    def test_what_a_worker_tells(self):
        machine = self.machine(program=HOSTILE_WORKER, worker="max_restarts = 300")
        listed = machine.folder / "strings"
        listed.write_bytes(packed([string for _, string in STRINGS]))
        notified = self.notified(machine)
        machine.boot()
        toml = f'name = "{{0}}"\n#strings {listed}\n#does {{0}}\n'

        def start(what):
            status, message = self.call(machine, "StartRun", text_field(
                1, toml.format(what)) + text_field(3, "/tmp"))
            self.assertEqual(status, 0, message)

        start("tell")
        machine.until_state("failed", run="tell")
        for what, attempts in (("names", len(TEXTS) if SOAK else 12), ("bytes", 6)):
            start(what)
            machine.until_restart(attempts)
            self.outcome([TRAINCTL, "-H", f"unix://{machine.socket}", "stop", what], "stop")
            until(f"{what} has ended", lambda: machine.in_state("stopped", "failed", run=what))
        trainctl = [TRAINCTL, "-H", f"unix://{machine.socket}"]
        for run in ("tell", "names", "bytes"):
            for words in (["status", run], ["watch", run], ["checkpoints", run], ["plot", run],
                          ["metrics", run], ["logs", run]):
                self.outcome([*trainctl, *words], words, allowed="\n\t")
                self.on_terminal([*trainctl, *words], words, live=words[0] == "watch", keys=b"q")
                done = self.outcome([*trainctl, "--json", *words], words)
                check_json(words, done.stdout)
        for words in (["runs"], ["runs", "--json"], ["mail", "list"], ["mail", "list", "--json"]):
            self.outcome([*trainctl, *words], words)
        done = self.outcome([*trainctl, "start", self.run_file(machine, toml)],
                            "notices of a check")
        self.assertEqual(done.returncode, 0, done.stderr)
        asked = machine.folder / "asked"
        asked.write_bytes(b"a\n" * len(TEXTS))
        # Right-to-left text needs its marks.
        self.outcome([*trainctl, "translate", "tell"], "answers into a pipe", stdin=asked,
                     allowed="\n" + BIDI)
        self.on_terminal(["sh", "-c", f"{' '.join(trainctl)} translate tell < {asked}"],
                         "answers on a terminal")
        machine.stop_daemon()
        self.check_mails(machine)
        self.log_is_harmless(machine)
        self.nothing_was_made(machine)
        told = notified()
        self.assertTrue(any(b"STATUS=" in message for message in told))
        for message in told:
            self.harmless(message, "what systemd is told")
            for line in message.split(b"\n"):
                self.assertRegex(line, rb"\A(READY=1|MAINPID=\d+|STOPPING=1|WATCHDOG=1|STATUS=.*|"
                                       rb"EXTEND_TIMEOUT_USEC=\d+)\Z")

    def run_file(self, machine, toml):
        path = machine.folder / "last.toml"
        path.write_text(toml.format("tell").replace('"tell"', '"last"'), encoding="utf-8")
        return path

    # A mail server that is not to be trusted.

    def test_what_a_mail_server_replies(self):
        replies = [string for _, string in STRINGS]
        server = HostileMailServer(replies)
        self.addCleanup(server.close)
        machine = self.machine(mail=f'transport = "smtp"\nhost = "127.0.0.1"\ntls = "none"\n'
                               f'port = {server.port}\nto = ["me@example.org"]\n'
                               'timeout_seconds = 2\nretry_first_seconds = 0.01\n'
                               'retry_longest_seconds = 0.01').boot()
        while server.served < len(replies) * (3 if SOAK else 1):
            before = server.served
            for _ in range(25):
                status, message = self.call(machine, "SendTestMail")
                self.assertEqual(status, 0, message)
            until("more mails were tried", lambda: server.served >= before + 25)
        trainctl = [TRAINCTL, "-H", f"unix://{machine.socket}"]
        self.outcome([*trainctl, "mail", "list"], "mail list")
        self.on_terminal([*trainctl, "mail", "list"], "mail list")
        json.loads(self.outcome([*trainctl, "mail", "list", "--json"], "mail list --json").stdout)
        for (detail,) in machine.rows("SELECT last_error FROM outbox"):
            self.harmless(detail.encode(), "why a mail was not sent")
        self.log_is_harmless(machine)
        self.assertLessEqual(set(server.commands), {"EHLO", "HELO", "MAIL", "RCPT", "QUIT"},
                             "nothing that a reply said was said to the server")

    # A daemon that is not to be trusted.

    def test_what_a_daemon_replies(self):
        run = pathlib.Path(tempfile.mkdtemp(prefix="traind-")) / "run.toml"
        self.addCleanup(lambda: subprocess.run(["rm", "-rf", run.parent], check=True))
        run.write_text('name = "a"\n', encoding="utf-8")
        verbs = [["status"], ["runs"], ["watch"], ["logs"], ["checkpoints"], ["metrics"], ["plot"],
                 ["wait"], ["stop"], ["resume"], ["save"], ["start", run], ["mail", "test"],
                 ["mail", "list"], ["mail", "retry"], ["version"], ["translate"], ["metrics",
                                                                                   "--csv"],
                 ["stop", "--wait"], ["runs", "-q"], ["start", run, "--watch"]]
        asked = run.parent / "asked"
        asked.write_bytes(b"a line\n" * 100)
        for mode, texts in (("fill", TEXTS), ("refuse", [string for _, string in STRINGS]),
                            ("fill", [string for _, string in STRINGS if not is_text(string)])):
            trainctl = self.hostile_daemon(mode, texts)
            for words in verbs * (3 if SOAK or mode == "refuse" else 1):
                self.outcome([*trainctl, *words], (mode, words), stdin=asked,
                             allowed="\n\t" + (BIDI if words[0] == "translate" else ""))
                done = self.outcome([*trainctl, "--json", *words], (mode, words), stdin=asked)
                if done.returncode == 0 and "--csv" not in words:
                    check_json(words, done.stdout)
                if mode == "fill" and words[0] != "translate":
                    self.on_terminal([*trainctl, *words], (mode, words), live="atch" in str(words),
                                     keys=b"q")


class Checkers(unittest.TestCase):
    """The tests' own judgement, on strings that it must object to."""

    def test_every_string_that_holds_something_is_found(self):
        blind = {"words", "format", "path", "TOML", "combining", "long", "mixed", "C0", "invisible"}
        for family, string in STRINGS:
            if family not in blind:
                self.assertTrue(faults_of(string, "") or string == b"\n", (family, string))

    def test_own_colours_are_let_through_and_others_are_not(self):
        self.assertEqual(faults_on_terminal(b"\x1b[31mred\x1b[0m\r\n"), [])
        self.assertTrue(faults_on_terminal(b"\x1b[2J"))
        self.assertTrue(faults_on_terminal(b"\x1b[41m"))
        self.assertTrue(faults_on_terminal(b"\x1b[?25l", live=True))
        self.assertTrue(faults_on_terminal("\u009b2J".encode(), live=True))


def tearDownModule():
    FIGURES["strings"] = len(STRINGS)
    record_soak("hostile_strings", FIGURES)
    print(FIGURES)


if __name__ == "__main__":
    unittest.main()
