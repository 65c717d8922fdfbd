"""traind and its workers write in their state folder, to their socket, and nowhere else.

Every system call that could make, change or remove a file is watched (strace) over a whole life:
the start, a run, mails, checkpoints, an answer to a translation, a stop, a resume, the end.
"""

import ctypes
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import unittest

from fault_case import TINY
from inbox import Inbox
from machine import DIE_WITH_PARENT, TRAIND, Machine, MachineTest, children_of, until

CALLS = ("open,openat,openat2,creat,mknod,mknodat,mkdir,mkdirat,rename,renameat,renameat2,link,"
         "linkat,symlink,symlinkat,unlink,unlinkat,rmdir,truncate,chmod,fchmodat,?fchmodat2,chown,lchown,"
         "fchownat,utime,utimes,futimesat,utimensat,setxattr,lsetxattr,removexattr,lremovexattr,"
         "mount,umount2,bind,chroot,pivot_root,execve")
READS_ONLY = ("execve",)
OPENS = ("open", "openat", "openat2")
CALL = re.compile(r"^(\d+) +([a-z0-9_]+)\((.*)$")
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"(\.\.\.)?')
FOLDER = re.compile(r"(?:AT_FDCWD|\d+)<([^>]*)>, *$")


def paths_changed(line):
    """(call, absolute paths) of a line of strace that would change a file system, else nothing.

    A path is absolute, or taken from the folder that stands before it (strace -y). What is refused
    counts as well, but for making what is there already. Throws for a line that it cannot read.
    """
    if re.match(r"^\d+ +(\+\+\+|---)", line):
        return None  # an exit or a signal
    found = CALL.match(line)
    if not found:
        raise ValueError(f"no line of strace: {line}")
    _, call, arguments = found.groups()
    if call in READS_ONLY or re.search(r"\) += -1 EEXIST", arguments):
        return None
    if call in OPENS and not re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_TMPFILE", arguments):
        return None
    if call == "bind" and "sun_path=" not in arguments:
        return None
    paths = []
    for text in STRING.finditer(arguments):
        if text.group(2):
            raise ValueError(f"cut off: {line}")
        path = text.group(1)
        folder = FOLDER.search(arguments[:text.start()])
        if not path.startswith("/"):
            if folder is None:
                raise ValueError(f"relative to what: {line}")
            path = os.path.join(folder.group(1), path)
        paths.append(os.path.normpath(path))
    if not paths:
        raise ValueError(f"without a path: {line}")
    return call, paths


def whole_lines(text):
    """What strace wrote, with calls in one line that another thread's came between."""
    begun = {}
    for line in text.splitlines():
        pid = line.split(" ", 1)[0]
        resumed = re.match(r"\d+ +<\.\.\. \w+ resumed>", line)
        if line.endswith(" <unfinished ...>"):
            begun[pid] = line[:-len(" <unfinished ...>")]
        elif resumed:
            yield begun.pop(pid) + line[resumed.end():]
        else:
            yield line
    yield from begun.values()  # of processes that were killed in the middle of it


class WatchedMachine(Machine):
    """Whatever traind starts from now on is watched as well."""

    def launch(self):
        def bound_to_us():
            ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)

        self.traces = self.folder / "traces"
        words = ["strace", "-D", "-f", "-y", "-qq", "-s", "4096", "--seccomp-bpf", "-A", "-e",
                 f"trace={CALLS}", "-e", "signal=none", "-o", self.traces, TRAIND, "--config",
                 self.config]
        with open(self.log, "ab") as log:
            self.daemon = subprocess.Popen(words, stderr=log, stdout=log, stdin=subprocess.DEVNULL,
                                           env={**os.environ, **self.environment},
                                           preexec_fn=bound_to_us)

    def changes(self):
        """(call, path) of all that was changed, in order."""
        found = []
        for line in whole_lines(self.traces.read_text(encoding="utf-8", errors="replace")):
            changed = paths_changed(line)
            found += [(changed[0], path) for path in changed[1]] if changed else []
        return found

    def strays(self):
        """Those that lie neither in the state folder nor at the socket."""
        state = str(self.state)
        allowed = {str(self.socket), "/dev/null"}
        return [(call, path) for call, path in self.changes()
                if path not in allowed and path != state and not path.startswith(state + "/")
                and not re.fullmatch(r"/proc/\d+/oom_score_adj", path)]


class WritesTest(MachineTest):
    def watched_machine(self):
        machine = WatchedMachine()
        self.addCleanup(machine.remove)
        return machine

    def test_a_whole_life_changes_nothing_but_the_state_folder_and_the_socket(self):
        machine = self.watched_machine()
        inbox = Inbox(self, machine.folder)
        machine.replace_in_config('transport = "folder"', inbox.settings())
        machine.boot()
        machine.start_run(epochs=40, **TINY)
        machine.until_checkpoint(-1)
        answer = machine.trainctl("translate", stdin="abcd\n")
        self.assertEqual(answer.returncode, 0, answer.stderr)
        machine.told("mail", "test")
        self.assertEqual(machine.trainctl("stop", "--wait").returncode, 0)
        self.assertTrue(machine.in_state("stopped"), "the run is too short to be stopped")
        machine.told("resume", "tiny", "--epochs", "41")
        machine.until_worker()
        os.kill(machine.worker(), signal.SIGKILL)
        machine.until_state("completed")
        until("the mails are sent", lambda: machine.status()["mails_waiting"] == 0)
        self.assertTrue(inbox.events("login"))
        self.end(machine)
        self.assertEqual(machine.strays(), [])
        self.assert_all_was_seen(machine)

    def test_a_write_elsewhere_is_seen(self):
        machine = self.watched_machine()
        elsewhere = machine.folder / "elsewhere"
        machine.replace_in_config('transport = "folder"',
                                  f'transport = "folder"\nfolder = "{elsewhere}"')
        machine.boot()
        machine.start_run(epochs=1, **TINY)
        machine.until_state("completed")
        until("the mails are written", lambda: list(elsewhere.glob("*-end.eml"))
              or machine.status()["mails_waiting"] == 0)
        self.end(machine)
        self.assertTrue(machine.strays())
        self.assertEqual([path for _, path in machine.strays()
                          if not path.startswith(str(elsewhere))], [])

    def end(self, machine):
        machine.stop_daemon()
        size = [-1]

        def is_complete():
            before, size[0] = size[0], machine.traces.stat().st_size
            return before == size[0] and not children_of(machine.daemon.pid)
        until("strace has written all", is_complete)

    def assert_all_was_seen(self, machine):
        """A test that sees nothing would be content with everything."""
        text = machine.traces.read_text(encoding="utf-8", errors="replace")
        for words in ("check", "run", "translate"):
            self.assertIn(f'traind-worker", "{words}"', text)
        changed = {path for _, path in machine.changes()}
        for what in (r"/traind\.db-wal$", r"/checkpoint-\d+\.safetensors$", r"/worker\.log$",
                     r"/traind\.lock$", r"/oom_score_adj$"):
            self.assertTrue(any(re.search(what, path) for path in changed), what)
        self.assertIn(("bind", str(machine.socket)), machine.changes())


class ReaderTest(unittest.TestCase):
    """Each kind of line, so that no change passes unseen."""

    def test_reads_what_changes_a_file(self):
        for line, expected in (
                ('7 openat(AT_FDCWD</s>, "a/../b", O_WRONLY|O_CREAT, 0640) = 3', ("openat", ["/s/b"])),
                ('7 openat(5</x/y>, "b", O_RDWR) = 3', ("openat", ["/x/y/b"])),
                ('7 open("/tmp/q", O_RDONLY|O_TRUNC', ("open", ["/tmp/q"])),
                ('7 rename("/s/a", "/tmp/b") = 0', ("rename", ["/s/a", "/tmp/b"])),
                ('7 renameat2(4</s>, "a", AT_FDCWD</tmp>, "b", 0) = 0',
                 ("renameat2", ["/s/a", "/tmp/b"])),
                ('7 unlink("/etc/x") = -1 ENOENT', ("unlink", ["/etc/x"])),
                ('7 mkdir("/s/new folder", 0750) = 0', ("mkdir", ["/s/new folder"])),
                ('7 bind(3<socket:[9]>, {sa_family=AF_UNIX, sun_path="/run/s"}, 110) = 0',
                 ("bind", ["/run/s"]))):
            self.assertEqual(paths_changed(line), expected)

    def test_passes_over_what_does_not(self):
        for line in ('7 openat(AT_FDCWD</s>, "a", O_RDONLY|O_CLOEXEC) = 3', '7 +++ exited with 0 +++',
                     '7 bind(3<socket:[9]>, {sa_family=AF_INET, sin_port=htons(1)}, 16) = 0',
                     '7 mkdir("/s", 0750) = -1 EEXIST (File exists)',
                     '7 execve("/bin/x", ["x"], 0x7 /* 2 vars */) = 0'):
            self.assertIsNone(paths_changed(line))

    def test_puts_together_what_threads_have_torn(self):
        text = ('7 mkdir("/s", 0750 <unfinished ...>\n8 mkdir("/t", 0750) = 0\n'
                '7 <... mkdir resumed>) = -1 EEXIST (File exists)\n9 unlink("/u" <unfinished ...>')
        self.assertEqual([paths_changed(line) for line in whole_lines(text)],
                         [("mkdir", ["/t"]), None, ("unlink", ["/u"])])

    def test_refuses_what_it_does_not_know(self):
        for line in ('7 mkdir(0x7ffe, 0750) = -1 EFAULT', 'nonsense', '7 open("/a"..., O_RDWR) = 3',
                     '7 rename("a", "b") = 0'):
            with self.assertRaises(ValueError, msg=line):
                paths_changed(line)


def missing():
    """What this machine lacks; empty = nothing."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    trial = subprocess.run(["strace", "-D", "-f", "--seccomp-bpf", "-o", "/dev/null", "true"],
                           capture_output=True, text=True, check=False)
    if trial.returncode != 0:
        return f"strace may not: {trial.stderr.strip()}"
    # The daemon lets nobody but root read its memory, and that is where paths are.
    return "" if os.geteuid() == 0 else "it takes root"


if __name__ == "__main__":
    if missing():
        print(f"skipped: {missing()}")
        sys.exit(77)
    unittest.main()
