"""What a gateway's directory takes beside the readings, so that all of it together stays within its budget."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_MIB: Final = 1 << 20
_PARTS: Final = 16
MOST_SLACK: Final = 16 * _MIB
# Their pages are counted by what uses them: see SpoolRing.keep_within.
_COUNTED: Final = ("spool.db", "outbox.db")
_ASIDE: Final = re.compile(
    r"damaged-[\dT]+-(spool\.db|outbox\.db|ledger\.key)(-wal|-shm)?|(gateway\.db|signals\.tsv)\.damaged-\d+"
)


def slack_of(budget_bytes: int) -> int:
    """What one database's write-ahead log, free pages or reserve may take, each."""
    return min(MOST_SLACK, budget_bytes // _PARTS)


def beside(directory: Path, slack_bytes: int) -> int:
    """Bytes that frames and parcels may not have: the other files, write-ahead logs at their largest, and the raw log's
    free pages. What was set aside as damaged lies beside the budget."""
    taken = slack_bytes
    for path in _files(directory):
        if path.name in _COUNTED or _ASIDE.fullmatch(path.name):
            continue
        with contextlib.suppress(OSError):  # it is gone since
            size = path.stat().st_size
            taken += max(size, slack_bytes) if path.name.endswith("-wal") else size
    return taken


def let_go_of_one_aside(directory: Path) -> str:
    """Delete the oldest file that was set aside as damaged, and say which; '' where there is none."""
    found = []
    for path in _files(directory):
        if _ASIDE.fullmatch(path.name):
            with contextlib.suppress(OSError):
                found.append((path.stat().st_mtime, path))
    for _, path in sorted(found):
        with contextlib.suppress(OSError):
            path.unlink()
            return str(path)
    return ""


def _files(directory: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        yield from (path for path in directory.rglob("*") if path.is_file())
