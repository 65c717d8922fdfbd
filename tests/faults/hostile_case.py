"""What the tests of hostile strings share: programs run and calls made with a judgement of all that
comes out, and peers that are not to be trusted.
"""

import contextlib
import email
import email.policy
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import socket
import struct
import subprocess
import tempfile
import termios
import threading
import urllib.parse

import http2
from hostile_strings import MARK, faults_of, faults_on_terminal
from machine import PATIENCE, TRAINCTL, MachineTest

HOSTILE_DAEMON = os.environ["HOSTILE_DAEMON"]
FIGURES = {"strings": 0, "sent": 0, "outputs": 0, "faults": 0}
# As RFC 5322 would have them, and no other.
HEADERS = ["Date", "From", "To", "Subject", "Message-ID", "In-Reply-To", "References",
           "Thread-Topic", "Thread-Index", "X-Traind-Run", "X-Traind-Epoch", "X-Traind-Kind",
           "List-Id", "Auto-Submitted", "MIME-Version", "Content-Type",
           "Content-Transfer-Encoding"]


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def text_field(field, value):
    value = value if isinstance(value, bytes) else value.encode()
    return varint(field << 3 | 2) + varint(len(value)) + value


def packed(texts):
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def check_json(words, written):
    """One object, or of a stream one in each line."""
    streams = {"watch", "logs", "translate", "--watch"} & set(words)
    for text in written.splitlines() if streams else [written]:
        json.loads(text or b"null")


def quoted(text):
    """A TOML string."""
    return '"' + "".join(c if c.isprintable() and c not in '"\\' else
                         f"\\U{ord(c):08X}" for c in text) + '"'


class HostileMailServer:
    """SMTP whose banner, greeting or verdict is the next string as it is."""

    def __init__(self, replies):
        self.replies = replies
        self.served = 0
        self.commands = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def close(self):
        self.listener.close()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as lines, contextlib.suppress(OSError):
                self.converse(connection, lines)
            self.served += 1

    def converse(self, connection, lines):
        # In the next round the same string stands elsewhere.
        reply = self.replies[self.served % len(self.replies)]
        place = (self.served + self.served // len(self.replies)) % 3
        connection.sendall((b"220 " + reply if place == 0 else b"220 ready") + b"\r\n")
        for line in lines:
            word = line.split()[0].decode("ascii", "replace").upper() if line.split() else ""
            self.commands.append(word)
            if word == "EHLO":
                connection.sendall((b"250 " + reply if place == 1 else b"250 here") + b"\r\n")
            elif word == "RCPT":
                connection.sendall(b"550 " + reply + b"\r\n")
            elif word == "QUIT":
                connection.sendall(b"221 bye\r\n")
                return
            else:
                connection.sendall(b"250 fine\r\n")


class HostileCase(MachineTest):
    def harmless(self, data, what, allowed="\n"):
        """Fails when these bytes could steer whatever shows them."""
        FIGURES["outputs"] += 1
        faults = faults_of(data, allowed)
        FIGURES["faults"] += len(faults)
        self.assertEqual(faults, [], what)

    def outcome(self, command, what, stdin=b"", allowed="\n", **more):
        """Runs to the end; what it wrote is harmless, and it was not ended by a signal."""
        FIGURES["sent"] += 1
        with contextlib.ExitStack() as open_files:
            if isinstance(stdin, bytes):
                more["input"] = stdin
            else:
                more["stdin"] = open_files.enter_context(open(stdin, "rb"))
            done = subprocess.run(command, capture_output=True, timeout=PATIENCE, **more)
        self.assertGreaterEqual(done.returncode, 0, f"{what}: {done.stderr[-500:]}")
        self.harmless(done.stdout, f"standard output, {what}", allowed)
        self.harmless(done.stderr, f"standard error, {what}", allowed)
        return done

    def on_terminal(self, command, what, live=False, keys=b"", **more):
        """The same on a pseudo-terminal of 120 columns."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 120, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        program = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs,
                                   start_new_session=True, env=environment, **more)
        os.close(theirs)
        shown = b""
        while select.select([ours], [], [], PATIENCE)[0]:
            try:
                piece = os.read(ours, 65536)
            except OSError:
                break  # the other end is closed
            if not piece:
                break
            shown += piece
            if keys and b"\x1b[J" in shown:
                os.write(ours, keys)
                keys = b""
        self.addCleanup(program.kill)
        self.assertGreaterEqual(program.wait(PATIENCE), 0, what)
        os.close(ours)
        FIGURES["outputs"] += 1
        faults = faults_on_terminal(shown, live)
        FIGURES["faults"] += len(faults)
        self.assertEqual(faults, [], what)
        return shown

    def call(self, machine, method, body=b""):
        """(gRPC status, message) of a raw call; the message is what its header may hold."""
        FIGURES["sent"] += 1
        with http2.Connection(machine.socket, PATIENCE) as connection:
            connection.send(http2.request(method, body=body))
            for kind, flags, _, block in connection.frames():
                if kind in (http2.GOAWAY, http2.RESET):
                    return None, b""
                if kind == http2.HEADERS and flags & http2.END_STREAM:
                    break
            code = int(http2.GRPC_STATUS.search(block)[1])
        at = block.find(b"grpc-message")
        message = b"" if at < 0 else block[at + len(b"grpc-message") + 1:]
        message = re.match(rb"(?:[^\x20-\x7e]{0,3})([\x20-\x7e]*)", message)[1]
        self.harmless(urllib.parse.unquote_to_bytes(message), f"message of {method}")
        return code, message

    def nothing_was_made(self, machine):
        """No string became a path: all names are those that traind makes itself."""
        for folder in ("/tmp", "/etc", "/", os.path.expanduser("~"), machine.folder.parent):
            self.assertNotIn(MARK, os.listdir(folder))
        for path in machine.folder.rglob("*"):
            self.assertRegex(str(path.relative_to(machine.folder)), r"\A[A-Za-z0-9._/-]+\Z")
            self.assertNotIn(MARK, path.name)

    def check_mails(self, machine):
        """Strictly parsed: the expected headers once each, one recipient, harmless text."""
        mails = sorted((machine.state / "mail").glob("*.eml"))
        self.assertTrue(mails)
        for path in mails:
            raw = path.read_bytes()
            self.assertNotIn(b"\n", raw.replace(b"\r\n", b""), path.name)
            self.assertNotIn(b"\r", raw.replace(b"\r\n", b""), path.name)
            head = raw.split(b"\r\n\r\n")[0].replace(b"\r\n", b"\n")
            self.harmless(head, f"head of {path.name}")
            names = [line.split(b":")[0].decode() for line in head.split(b"\n")
                     if line[:1] not in b" \t"]
            self.assertEqual(names, [name for name in HEADERS if name in names], path.name)
            message = email.message_from_bytes(raw, policy=email.policy.default)
            self.assertEqual(message["To"], "owner@localhost")
            self.assertEqual(message.defects, [])
            for name, value in message.items():
                self.harmless(str(value).encode("utf-8", "surrogateescape"), f"{name}, {path.name}")
            kinds = []
            for part in message.walk():
                self.assertEqual(part.defects, [], path.name)
                kinds.append(part.get_content_type())
                if part.get_content_maintype() == "text":
                    body = part.get_payload(decode=True).replace(b"\r\n", b"\n")
                    self.harmless(body, f"{kinds[-1]} of {path.name}")
                    if kinds[-1] == "text/html":
                        self.assertNotRegex(body, rb"<(script|img src=x)")
            self.assertLessEqual(set(kinds), {"multipart/alternative", "multipart/related",
                                              "text/plain", "text/html", "image/png"})
        return len(mails)

    def log_is_harmless(self, machine):
        self.harmless(machine.log.read_bytes(), "the daemon's log")

    def notified(self, machine):
        """Stands in for systemd; returns a function that gives what it was told."""
        ours = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = str(machine.folder / "notify")
        ours.bind(path)
        self.addCleanup(ours.close)
        machine.environment["NOTIFY_SOCKET"] = path
        told = []

        def listen():
            while True:
                try:
                    told.append(ours.recv(65536))
                except OSError:
                    return
        threading.Thread(target=listen, daemon=True).start()
        return lambda: list(told)

    def hostile_daemon(self, mode, texts):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="traind-"))
        self.addCleanup(lambda: subprocess.run(["rm", "-rf", folder], check=True))
        (folder / "strings").write_bytes(packed(texts))
        daemon = subprocess.Popen([HOSTILE_DAEMON, folder / "socket", folder / "strings", mode],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(daemon.stdout.close)
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.kill)
        self.assertEqual(daemon.stdout.readline(), "listening\n")
        return [TRAINCTL, "-H", f"unix://{folder}/socket", "--timeout", "5"]
