"""A mail server of a test's own, and the account of what it got against what the outbox says.

The server is tests/notifier/smtp_server.py with STARTTLS and a login, on a port that it keeps when
it is stopped and started again.
"""

import email
import email.policy
import json
import os
import pathlib
import subprocess
import sys
import time

SMTP_SERVER = pathlib.Path(__file__).parents[1] / "notifier" / "smtp_server.py"
PASSWORD = "canary-bird-7"
SETTINGS = """transport = "smtp"
host = "localhost"
port = {port}
user = "bot"
password_file = "{folder}/password"
ca_file = "{folder}/server.pem"
from = "traind@example.org"
to = [{to}]
timeout_seconds = 1
retry_first_seconds = {first}
retry_longest_seconds = {longest}"""
# After these the server has the message and has not said so.
UNANSWERED = ("drop-after", "hang kept")


class Inbox:
    def __init__(self, case, folder, refuse=(), certificate_environment=None, password=PASSWORD):
        self.folder = folder / "inbox"
        self.secrets = folder
        self.plan = folder / "smtp-plan"
        self.refuse = list(refuse)
        self.port = 0
        self.server = None
        self.cuts = []  # times at which an end of a connection was cut off
        self.password = password
        self.write_password(password)
        make_certificate(folder, certificate_environment)
        self.start()
        case.addCleanup(self.stop)

    def write_password(self, password):
        path = self.secrets / "password"
        path.write_text(password + "\n", encoding="utf-8")
        path.chmod(0o600)

    def start(self, plan="ok"):
        self.plan.write_text(plan + "\n", encoding="utf-8")
        words = [sys.executable, SMTP_SERVER, "--folder", self.folder, "--plan", self.plan,
                 "--port", str(self.port), "--user", "bot", "--password", self.password,
                 "--certificate", self.secrets / "server.pem",
                 "--key", self.secrets / "server.key"]
        for address in self.refuse:
            words += ["--refuse", address]
        self.server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        line = self.server.stdout.readline()
        assert line.startswith("listening "), "the mail server does not start"
        self.port = int(line.split()[1])

    def stop(self):
        if self.server is None:
            return
        self.server.kill()
        self.server.wait()
        self.server.stdout.close()
        self.server = None
        self.cut()

    def cut(self):
        """The daemon or the server has just been killed."""
        self.cuts.append(time.time())

    def settings(self, to=("me@example.org",), first=0.02, longest=0.1):
        return SETTINGS.format(port=self.port, folder=self.secrets, first=first, longest=longest,
                               to=", ".join(f'"{address}"' for address in to))

    def events(self, name):
        path = self.folder / "events.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [event for event in map(json.loads, lines) if event["event"] == name]

    def mails(self):
        """All that was stored, in order: recipient, id, kind, epoch, subject, text, time, step."""
        mails = []
        for event in self.events("stored"):
            message = email.message_from_bytes((self.folder / event["file"]).read_bytes(),
                                               policy=email.policy.default)
            assert event["encrypted"] and event["login"] == "bot", event
            mails.append({
                "recipient": event["recipients"][0],
                "id": message["Message-ID"],
                "run": message["X-Traind-Run"],
                "kind": message["X-Traind-Kind"],
                "epoch": int(message["X-Traind-Epoch"] or 0),
                "subject": message["Subject"],
                "text": message.get_body(("plain",)).get_content().replace("\r\n", "\n"),
                "time": event["time"],
                "step": event["step"],
            })
        return mails


def make_certificate(folder, environment=None):
    """For "localhost", its own issuer."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "15000", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost", "-keyout", folder / "server.key", "-out",
         folder / "server.pem"], check=True, capture_output=True,
        env={**os.environ, **(environment or {})})


def first_copies(mails):
    """Each Message-ID once, in the order in which they came first."""
    return list({mail["id"]: mail for mail in reversed(mails)}.values())[::-1]


def excess_copies(mails, cuts):
    """Copies that nothing excuses: between it and the one before no end was cut off."""
    excess = []
    before = {}
    for mail in mails:
        earlier = before.get(mail["id"])
        before[mail["id"]] = mail
        if earlier is None or earlier["step"] in UNANSWERED:
            continue
        if not any(earlier["time"] <= cut <= mail["time"] for cut in cuts):
            excess.append(mail["subject"])
    return excess


def out_of_order(mails):
    """Mails of a run to a recipient that came after one that was written later."""
    rank = {"start": 0, "end": 2, "failure": 2}
    newest = {}
    wrong = []
    for mail in first_copies(mails):
        if mail["run"] is None:
            continue
        row = (mail["run"], mail["recipient"])
        now = (rank.get(mail["kind"], 1), mail["epoch"])
        if now < newest.get(row, (0, 0)):
            wrong.append(mail["subject"])
        newest[row] = max(now, newest.get(row, now))
    return wrong


def unaccounted(rows, mails):
    """What the outbox calls sent and the server has not, or the other way round.

    `rows`: (id, recipient, kind, key, state, folded_into) of the outbox.
    """
    wrong = [f"{kind} {key} to {recipient} is {state}"
             for _, recipient, kind, key, state, _ in rows if state not in ("sent", "folded")]
    arrived = [(mail["recipient"], mail["kind"]) for mail in first_copies(mails)]
    sent = [(recipient, kind) for _, recipient, kind, _, state, _ in rows if state == "sent"]
    for pair in set(arrived) | set(sent):
        if arrived.count(pair) != sent.count(pair):
            wrong.append(f"{pair}: {sent.count(pair)} sent, {arrived.count(pair)} arrived")
    states = {number: (kind, state) for number, _, kind, _, state, _ in rows}
    for _, recipient, kind, key, state, digest in rows:
        if state == "folded" and states.get(digest) != ("digest", "sent"):
            wrong.append(f"{kind} {key} to {recipient} is told by no digest that was sent")
    return wrong


def told_epochs(mails, recipient):
    """Every epoch that the mails to one recipient tell, itself or in a digest's table, in order."""
    epochs = []
    for mail in first_copies(mails):
        if mail["recipient"] != recipient:
            continue
        if mail["kind"] == "epoch":
            epochs.append(mail["epoch"])
        if mail["kind"] == "digest":
            table = mail["text"].split("  epoch    loss")[1].split("\n\n")[0].splitlines()[1:]
            epochs += [int(line.split()[0]) for line in table if line.split()[0].isdigit()]
    return epochs
