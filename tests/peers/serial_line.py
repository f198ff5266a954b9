"""An RS-485 line of pseudo terminals: what one says all others hear.

python serial_line.py FOLDER UNITS   - links FOLDER/master, FOLDER/unit1 ...; prints READY.
"""

import contextlib
import os
import select
import sys
import tty
from pathlib import Path


def terminal(link: Path) -> int:
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    link.unlink(missing_ok=True)
    link.symlink_to(os.ttyname(theirs))
    os.set_blocking(ours, False)
    return ours


folder = Path(sys.argv[1])
master = terminal(folder / "master")
units = [terminal(folder / f"unit{n}") for n in range(1, int(sys.argv[2]) + 1)]
print("READY", flush=True)
while True:
    for speaker in select.select([master, *units], [], [])[0]:
        said = os.read(speaker, 4096)
        for hearer in {master, *units} - {speaker}:
            with contextlib.suppress(BlockingIOError):  # who does not listen misses it
                os.write(hearer, said)
