#!/usr/bin/python3
"""Uses up a cgroup's memory until a process of it is dead, killed by the kernel for want of memory.

  memory_hog.py MARK CGROUP PID...
One of them is enough. The memory is a file's that no process has mapped, so that it makes nobody
large: the kernel takes whom it would take without us, one after another until it is one that is
meant. MARK is our own oom_score_adj: a kernel that is in a hurry takes a second one before the first
has given its memory back, and with a mark above 0 that is us.
"""

import errno
import os
import pathlib
import sys
import time

STEP = bytes(1 << 18)
GIVEN_BACK = 32 << 20
MOST = 4 << 30


def lives(pid):
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        return stat.rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def kills():
    """How often the kernel has killed for want of memory."""
    counters = pathlib.Path("/proc/vmstat").read_text(encoding="utf-8").split()
    return int(counters[counters.index("oom_kill") + 1])


def main():
    mark, cgroup, pids = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:]
    pathlib.Path("/proc/self/oom_score_adj").write_text(mark, encoding="utf-8")
    (cgroup / "cgroup.procs").write_text("0", encoding="utf-8")
    # A process that is killed must run to give its memory back; until then the kernel takes others.
    os.nice(19)
    held = os.memfd_create("hog")
    seen = kills()
    while all(map(lives, pids)):
        if kills() > seen:
            # Whoever was taken gets time to die before anybody else is.
            os.ftruncate(held, max(0, os.fstat(held).st_size - GIVEN_BACK))
            os.lseek(held, 0, os.SEEK_END)
            time.sleep(0.5)
            seen = kills()
            continue
        if os.fstat(held).st_size > MOST:
            sys.exit("the cgroup has no limit")
        try:
            os.write(held, STEP)
        except OSError as error:
            if error.errno != errno.ENOMEM:
                raise

if __name__ == "__main__":
    main()
