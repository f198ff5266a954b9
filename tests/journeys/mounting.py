"""Disks of a test's own: whether this machine lets one be mounted is tried once, and told where it does not."""

import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

from tests.peers.processes import find_program


def run(program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([find_program(program) or program, *arguments], capture_output=True, text=True)


def trigger_of(place: Path) -> Path:
    """Written to, it makes the kernel find the ext4 file system damaged."""
    device = Path(run("findmnt", "-n", "-o", "SOURCE", str(place)).stdout.strip()).name
    return Path("/sys/fs/ext4") / device / "trigger_fs_error"


@cache
def _why_not() -> str:
    """'' where all works that the tests do with a disk: tmpfs, ext4 in a file, its kernel told that it is damaged."""
    if missing := [name for name in ("mount", "umount", "findmnt", "mkfs.ext4", "e2fsck") if not find_program(name)]:
        return f"{', '.join(missing)} (packages mount and e2fsprogs) are not installed"
    with tempfile.TemporaryDirectory() as folder:
        image, place = Path(folder) / "disk.img", Path(folder) / "disk"
        place.mkdir()
        with image.open("wb") as file:
            file.truncate(4 << 20)
        for how in (("-t", "tmpfs", "tmpfs"), ("-o", "loop", str(image))):
            run("mkfs.ext4", "-q", str(image))
            if (done := run("mount", *how, str(place))).returncode:
                return f"this machine lets nobody mount a disk: {done.stderr.strip()}"
            trigger = trigger_of(place)
            found = how[0] == "-t" or trigger.exists()
            run("umount", str(place))
            if not found:
                return f"this kernel has no {trigger}"
    return ""


needs_disk = pytest.mark.skipif(bool(_why_not()), reason=f"NOT RUN on a full or read-only disk: {_why_not()}")
has_disk = not _why_not()
