"""File systems of our own on loop devices, whose power can be cut.

The shutdown ioctl of ext4 and XFS drops everything that is not on the disk yet, as a power cut
does, and leaves a file system that answers nothing but errors until it is mounted again. Needs
root, loop devices and mkfs; missing() says what is not there.
"""

import ctypes
import fcntl
import os
import shutil
import struct
import subprocess

from machine import until

CLONE_NEWNS = 0x00020000
SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN
FLUSH_JOURNAL = 1  # what is in the journal goes to the disk, file contents do not
DROP_ALL = 2
# The least that mkfs.xfs takes; the file has holes where nothing is written.
SIZES = {"ext4": "96M", "xfs": "320M"}
MKFS = {"ext4": ["mkfs.ext4", "-q", "-F"], "xfs": ["mkfs.xfs", "-q", "-f"]}


def missing():
    """What this machine lacks for such file systems; empty = nothing."""
    if os.geteuid() != 0:
        return ["root"]
    lacking = [tools[0] for tools in MKFS.values() if shutil.which(tools[0]) is None]
    if not os.path.exists("/dev/loop-control"):
        lacking.append("loop devices")
    return lacking


def keep_mounts_to_ourselves():
    """Before the first mount: a copy of it elsewhere (say, in a container that starts meanwhile)
    would keep a file system alive that was cut, and mounting it again would give that one back."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    run("mount", "--make-rprivate", "/")


def run(*words):
    result = subprocess.run(words, capture_output=True, text=True)
    if result.returncode != 0:
        raise AssertionError(f"{words}: {result.stderr}")


class LoopDisk:
    def __init__(self, kind, image, mount_point):
        self.image = str(image)
        self.mount_point = str(mount_point)
        run("truncate", "-s", SIZES[kind], self.image)
        run(*MKFS[kind], self.image)
        os.makedirs(self.mount_point, exist_ok=True)
        self.mount()

    def mount(self):
        run("mount", "-o", "loop", self.image, self.mount_point)

    def cut(self, how):
        folder = os.open(self.mount_point, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, SHUTDOWN, struct.pack("I", how))
        finally:
            os.close(folder)

    def unmount(self):
        # Busy as long as the last of the killed has not let go.
        until(f"{self.mount_point} is unmounted", lambda: subprocess.run(
            ["umount", self.mount_point], stderr=subprocess.DEVNULL).returncode == 0)

    def remove(self):
        if os.path.ismount(self.mount_point):
            self.unmount()
        os.unlink(self.image)
