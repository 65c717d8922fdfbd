#!/usr/bin/python3 -SE
"""A traind-worker that does what its run file's plan says and learns nothing.

The plan stands in comments of the run file, one line an attempt; the last line serves all later
ones: "#! started; rows 3; checkpoint 3; crash". Speaks the framed protocol of docs/worker.md with
an encoder of its own, so that the daemon's reading is checked against something else.
"""
import os
import select
import signal
import struct
import sys
import time


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def real(field, value):
    return varint(field << 3 | 1) + struct.pack("<d", value)


def text(field, value):
    data = value if isinstance(value, bytes) else value.encode()
    return varint(field << 3 | 2) + varint(len(data)) + data


def framed(message):
    return struct.pack("<I", len(message)) + message


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data):]


def option(name, fallback=None):
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else fallback


def check():
    content = open(sys.argv[2], encoding="utf-8").read()
    if "#check crash" in content:
        print("last words of a check", file=sys.stderr)
        os.kill(os.getpid(), signal.SIGSEGV)
    if "#check hang" in content:
        time.sleep(1000)
    if "#check refuse" in content:
        answer = text(1, "data") + text(2, sys.argv[2] + ":1: the corpus is empty")
    elif option("--from") and b"damaged" in open(option("--from"), "rb").read():
        answer = text(1, "corrupt") + text(2, option("--from") + ": its checksum is wrong")
    else:
        name = option("--name") or content.split('name = "')[1].split('"')[0]
        answer = (number(3, 1000) + number(4, 100) + number(5, 2) + text(6, "2 lines were skipped")
                  + text(7, name) + text(8, content) + number(10, 3))
    write_all(1, framed(answer))


def translate():
    lines = sys.stdin.read().splitlines()
    if "crash" in lines:
        os.kill(os.getpid(), signal.SIGKILL)
    answer = b"".join(text(3, line.upper()) for line in lines)
    for line in lines:
        one = text(1, line.upper()) + real(2, -0.25) + real(3, -1.5) + number(4, 1)
        # The second answer is what this was called with.
        answer += text(5, text(1, one) + text(1, text(1, " ".join(sys.argv[4:])) + real(2, -2.0)))
    write_all(1, framed(answer + text(4, "checkpoint-000000000003.safetensors")))


def verify():
    plan = open(option("--folder") + "/run.toml", encoding="utf-8").read().split()[1]
    progress = number(1, 3) + number(4, 10) + number(5, 20) + number(6, 15) + real(7, 1.5)
    write_all(1, framed(text(1, progress)))
    with open(option("--scratch") + "/pid", "w", encoding="utf-8") as pid:
        pid.write(str(os.getpid()))
    if plan == "crash":
        print("last words of a verification", file=sys.stderr)
        os.kill(os.getpid(), signal.SIGKILL)
    if plan == "hang":
        time.sleep(1000)
    if plan == "garbage":
        write_all(1, framed(b"\xff\xff\xff\xff\xff"))
    if plan == "refuse":
        write_all(1, framed(text(2, text(1, "state") + text(2, "one good checkpoint alone"))))
    if plan == "same":
        write_all(1, framed(text(2, number(3, 1) + text(16, "A fake processor"))))


def stand_still():
    """Does nothing, for as long as the test that wants it so keeps the run's folder."""
    while os.path.isdir(option("--folder")):
        time.sleep(0.1)


class Run:
    def __init__(self, folder):
        self.folder = folder
        self.step = 0
        self.epoch = 1
        self.control = b""
        self.content = open(folder + "/run.toml", encoding="utf-8").read()
        told = [line for line in self.content.splitlines() if line.startswith("epochs = ")]
        self.epochs = int(told[0].split()[2]) if told else 3
        with open(folder + "/attempts", "a+", encoding="utf-8") as attempts:
            attempts.write(" ".join(sys.argv[2:]) + "\n")
            attempts.seek(0)
            self.attempt = len(attempts.readlines())

    def send(self, field, message):
        write_all(3, framed(text(field, message)))

    def started(self):
        self.send(1, text(1, "cpu") + text(2, "A fake processor") + text(3, "asked for")
                  + number(4, 77) + number(5, 1000) + number(6, 100) + number(10, 10)
                  + number(11, self.epochs) + number(12, -1) + text(14, "0123456789abcdef")
                  + text(16, "initial.safetensors" if os.path.exists(
                      self.folder + "/initial.safetensors") else ""))

    def progress(self, step=None):
        self.send(2, number(1, 3) + number(2, int(step or self.step)) + number(3, self.epoch)
                  + number(4, self.step) + number(5, 10) + real(6, 1.5) + real(10, 60.0))

    def rows(self, count):
        for _ in range(int(count)):
            self.step += 1
            self.send(3, number(1, self.step) + number(2, self.epoch) + number(3, self.step)
                      + number(4, 10) + number(5, self.step * 8) + real(6, 2.0 / self.step)
                      + real(7, 0.5) + real(8, 2.5 / self.step) + real(10, 0.001))

    def checkpoint(self, step, reason=1):
        name = f"checkpoint-{int(step):012d}.safetensors"
        os.makedirs(self.folder + "/checkpoints", exist_ok=True)
        with open(self.folder + "/checkpoints/" + name, "wb") as file:
            file.write(f"weights of step {step}".encode())
        self.send(5, text(1, name) + number(2, int(step)) + number(3, self.epoch)
                  + number(4, int(reason)) + number(5, 1000) + text(6, "aa" * 8) + number(7, 1))

    def loading(self, step):
        self.send(11, text(1, f"checkpoint-{int(step):012d}.safetensors"))

    def epoch_done(self, epoch, measure=1):
        scores = (number(1, 100) + real(2, 0.4) + real(3, 0.9) + number(4, 80) + real(5, 0.3)
                  + real(8, 0.1) + real(9, 0.6) + real(10, 41.5) + text(11, "nrefs:1|tok:none"))
        sample = text(1, "teh") + text(2, "the") + text(3, "the")
        self.send(4, number(1, int(epoch)) + number(2, 3) + number(3, self.step) + real(4, 1.0)
                  + real(5, 1.25) + text(6, scores) + text(7, sample) + number(8, 1)
                  + text(10, "bb" * 8) + number(15, int(measure)))
        self.epoch = int(epoch) + 1

    def changed(self, key, was, now, step):
        self.send(10, text(1, key) + text(2, was) + text(3, now) + number(4, int(step))
                  + number(5, self.epoch))

    def notice(self, words):
        self.send(7, text(1, "io") + text(2, words))

    def end(self, reason=1):
        self.send(8, number(1, int(reason)) + number(2, self.step) + number(3, self.epoch)
                  + text(4, "bb" * 8) + real(5, 12.5))
        sys.exit(0)

    def fail(self, kind, status):
        self.send(9, text(1, kind) + text(2, f"{kind}: it cannot be done"))
        sys.exit(int(status))

    def crash(self):
        print("last words", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

    def exit(self, status):
        sys.exit(int(status))

    def damage(self, step):
        name = f"checkpoint-{int(step):012d}.safetensors"
        with open(self.folder + "/checkpoints/" + name, "wb") as file:
            file.write(b"damaged")

    def lose(self, step):
        os.remove(f"{self.folder}/checkpoints/checkpoint-{int(step):012d}.safetensors")

    def prune(self, step):
        name = f"checkpoint-{int(step):012d}.safetensors"
        os.remove(self.folder + "/checkpoints/" + name)
        self.send(6, text(1, name))

    def hang(self):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        stand_still()

    def alive(self, seconds):
        until = time.monotonic() + float(seconds)
        while time.monotonic() < until:
            self.progress()
            time.sleep(0.02)

    def saving(self, still, seconds):
        """Steps go on, and the checkpoint under way always moved last so many seconds before."""
        until = time.monotonic() + float(seconds)
        while time.monotonic() < until:
            self.send(2, number(1, 3) + number(2, self.step) + number(3, self.epoch)
                      + real(13, float(still)))
            time.sleep(0.02)

    def malformed(self):
        write_all(3, struct.pack("<I", 5) + b"\xff\xff\xff\xff\xff")
        stand_still()

    def too_long(self):
        write_all(3, struct.pack("<I", 1 << 30))
        stand_still()

    def escape(self):
        self.send(5, text(1, "../../x") + number(2, 1) + number(3, 1) + number(4, 1))
        stand_still()

    def torn(self):
        write_all(3, struct.pack("<I", 100) + b"half")
        sys.exit(74)

    def log(self, words):
        print(words.replace("_", " "), file=sys.stderr, flush=True)

    def until_stop(self):
        """Progress until the daemon asks to stop or is gone; then a checkpoint and the end."""
        while True:
            if not select.select([4], [], [], 0.02)[0]:
                self.progress()
                continue
            data = os.read(4, 4096)
            self.control += data
            with open(self.folder + "/control", "ab") as control:
                control.write(data or b"EOF")
            if not data:
                sys.exit(0)
            while len(self.control) >= 4:
                size = struct.unpack("<I", self.control[:4])[0]
                message, self.control = self.control[4:4 + size], self.control[4 + size:]
                if message.startswith(b"\x08"):
                    self.checkpoint(self.step, 3)
                    self.end(2)
                if message.startswith(b"\x10"):
                    self.checkpoint(self.step, 4)

    def play(self):
        plans = [line[2:] for line in self.content.splitlines() if line.startswith("#!")]
        # A run file that the daemon has written anew has no comments.
        kept = self.folder + "/plans"
        if plans:
            open(kept, "w", encoding="utf-8").write("\n".join(plans))
        elif os.path.exists(kept):
            plans = open(kept, encoding="utf-8").read().split("\n")
        plans = plans or ["started; rows 4; until_stop"]
        for action in plans[min(self.attempt, len(plans)) - 1].split(";"):
            words = action.split()
            getattr(self, words[0])(*words[1:])


if __name__ == "__main__":
    if sys.argv[1] == "check":
        check()
    elif sys.argv[1] == "translate":
        translate()
    elif sys.argv[1] == "verify":
        verify()
    else:
        Run(option("--folder")).play()
