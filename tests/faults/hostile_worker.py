#!/usr/bin/python3 -SE
"""A traind-worker that tells hostile strings wherever an event has room for text.

Its run file says in a comment where the strings are ("#strings PATH", each after its length) and
what it does ("#does WHAT"): "tell" tells them all and fails; "names" saves checkpoints of hostile
names, one in each attempt; "bytes" sends what is not UTF-8 as text.
"""

import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "daemon"))
from fake_worker import framed, number, option, real, text, write_all  # noqa: E402


def is_text(string):
    try:
        string.decode("utf-8")
        return True
    except UnicodeDecodeError:
        return False


def strings_of(path):
    with open(path, "rb") as file:
        data = file.read()
    while data:
        size = struct.unpack("<I", data[:4])[0]
        yield data[4:4 + size]
        data = data[4 + size:]


def setting(content, key):
    return content.split(f"#{key} ")[1].split("\n")[0]


class Teller:
    def __init__(self, folder):
        self.content = open(folder + "/run.toml", encoding="utf-8").read()
        self.every = list(strings_of(setting(self.content, "strings")))
        self.texts = [string for string in self.every if is_text(string)]
        self.at = 0
        with open(folder + "/attempts", "a+", encoding="utf-8") as attempts:
            attempts.write("one\n")
            attempts.seek(0)
            self.attempt = len(attempts.readlines()) - 1

    def next(self):
        self.at += 1
        return self.texts[self.at % len(self.texts)]

    def send(self, field, message):
        write_all(3, framed(text(field, message)))

    def started(self):
        self.send(1, text(1, self.next()) + text(2, self.next()) + text(3, self.next())
                  + number(4, 77) + number(5, 1000) + number(6, 100) + number(10, 10)
                  + number(11, 3) + number(12, 7) + text(13, "checkpoint-000000000007.safetensors")
                  + text(14, self.next())
                  + text(16, self.next()))

    def epoch(self, epoch):
        scores = number(1, 100) + real(2, 0.4) + number(4, 80) + text(11, self.next())
        samples = b"".join(text(7, text(1, self.next()) + text(2, self.next())
                                + text(3, self.next())) for _ in range(12))
        self.send(4, number(1, epoch) + number(2, 3) + number(3, epoch) + real(4, 1.0)
                  + real(5, 1.25) + text(6, scores) + samples + number(8, 1)
                  + text(10, self.next()) + number(15, 1))

    def tell(self):
        for string in self.every:
            os.write(2, string + b"\n")
        self.started()
        for _ in self.texts:
            self.send(7, text(1, "io") + text(2, self.next()))
            self.send(2, number(1, 3) + number(2, 1) + number(3, 1) + number(4, 1) + number(5, 10)
                      + text(12, self.next()))
            self.send(10, text(1, self.next()) + text(2, self.next()) + text(3, self.next())
                      + number(4, 1) + number(5, 1))
        for epoch in (1, 2, 3):
            self.epoch(epoch)
        if self.attempt == 0:
            os.write(2, b"last words: " + b" ".join(self.every[:40]))
            os.abort()
        self.send(9, text(1, "data") + text(2, b" ".join(self.texts[:60])))
        sys.exit(65)

    def names(self):
        self.started()
        name = self.texts[self.attempt % len(self.texts)]
        self.send(11, text(1, name))
        self.send(5, text(1, name) + number(2, 1) + number(3, 1) + number(4, 1) + text(6, name))
        self.send(6, text(1, name))
        sys.exit(74)

    def bytes(self):
        bad = [string for string in self.every if not is_text(string)]
        self.send(7, text(1, "io") + text(2, bad[self.attempt % len(bad)]))
        sys.exit(74)


def check():
    content = open(sys.argv[2], encoding="utf-8").read()
    notices = b"".join(text(6, string) for string in strings_of(setting(content, "strings"))
                       if is_text(string))
    write_all(1, framed(number(3, 1000) + number(4, 100) + number(5, 2) + notices
                        + text(7, content.split('name = "')[1].split('"')[0]) + text(8, content)
                        + number(10, 3)))


def translate():
    content = open(option("--folder", sys.argv[2]) + "/run.toml", encoding="utf-8").read()
    sys.stdin.buffer.read()
    texts = [string for string in strings_of(setting(content, "strings")) if is_text(string)]
    answer = b"".join(text(3, string) for string in texts)
    answer += b"".join(text(5, text(1, text(1, string) + real(2, -1.0))) for string in texts)
    write_all(1, framed(answer + text(4, texts[0])))


if __name__ == "__main__":
    if sys.argv[1] == "check":
        check()
    elif sys.argv[1] == "translate":
        translate()
    else:
        teller = Teller(option("--folder"))
        teller.started()
        getattr(teller, setting(teller.content, "does"))()
