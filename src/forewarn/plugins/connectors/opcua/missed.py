"""Where readings lack of which signals, and which of them may now be asked for: survives the runs of a source."""

import asyncio
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from forewarn.contracts.connector import ReadingSink
from forewarn.domain.conditions import ConditionCode
from forewarn.plugins.connectors.opcua.feed import Feed

_NEVER: Final = np.iinfo(np.int64).min
FAR: Final = int(np.iinfo(np.int64).max)
_KEEP_S: Final = 1.0


@dataclass(slots=True)
class Hole:
    """since: source time (microseconds UTC) of the last reading before it. until: of the first live one behind it, None
    while there is none."""

    since: int
    until: int | None = None


class Owed:
    """holes: by signal id, the oldest first. One stays until it is filled, for live readings that come meanwhile hide
    it from `sink.newest`.

    file: where they outlive a restart of ours in the middle of filling; None = nowhere."""

    def __init__(self, file: Path | None = None) -> None:
        self.holes: dict[str, list[Hole]] = {}
        self._file = file
        self._kept = "{}"
        if file is not None:
            with suppress(OSError, ValueError, AttributeError, TypeError):  # half a file is as good as none
                told = json.loads(file.read_text())
                self.holes = {str(id_): [Hole(*hole) for hole in holes] for id_, holes in told.items()}
                self._kept = self._text()

    def _text(self) -> str:
        holes = {id_: [(hole.since, hole.until) for hole in some] for id_, some in self.holes.items()}
        return json.dumps(holes)

    def keep(self) -> None:
        """Write what changed. Raises OSError."""
        if self._file is None or (now := self._text()) == self._kept:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._file.with_name(self._file.name + ".new")
        with fresh.open("w") as out:
            out.write(now)
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(self._file)
        self._kept = now


class Missed:
    """Of one run. Rows are the feed's."""

    def __init__(self, owed: Owed, feed: Feed, sink: ReadingSink, *, wanted: bool) -> None:
        """wanted: false = history is not read at all."""
        self._owed, self._feed, self._sink, self._wanted = owed, feed, sink, wanted
        self._due: set[int] = set()
        self._news = asyncio.Event()

    def note(self, rows: Sequence[int]) -> None:
        """From now on these lack readings, unless they did before."""
        if not self._wanted:
            return
        keys = self._feed.keys[list(rows)]
        for row, newest in zip(rows, self._sink.newest(keys).tolist(), strict=True):
            self._close(row)
            holes = self._owed.holes.setdefault(self._id(row), []) if newest != _NEVER else []
            if newest != _NEVER and (not holes or holes[-1].until is not None):
                holes.append(Hole(newest))

    def due(self, rows: Sequence[int]) -> None:
        """These are monitored again."""
        self._due |= {row for row in rows if self._id(row) in self._owed.holes}
        if self._due:
            self._news.set()

    async def take(self) -> list[int]:
        """All rows that are due, as soon as there is one."""
        await self._news.wait()
        self._news.clear()
        taken, self._due = sorted(self._due), set()
        return taken

    def hole(self, row: int) -> tuple[int, int]:
        """Between which source times readings lack, the oldest hole; (FAR, FAR) = nowhere."""
        self._close(row)
        holes = self._owed.holes.get(self._id(row))
        if not holes:
            return FAR, FAR
        return holes[0].since, FAR if holes[0].until is None else holes[0].until

    def filled(self, row: int, until: int | None = None) -> None:
        """until: source time, so far; None = the oldest hole is closed, or nothing can close it."""
        holes = self._owed.holes.get(self._id(row))
        if not holes:
            return
        if until is not None:
            holes[0].since = max(until, holes[0].since)
        else:
            holes.pop(0)
        if not holes:
            del self._owed.holes[self._id(row)]

    def end(self) -> None:
        """The run is over: what came live in it is no hole."""
        for row in range(len(self._feed)):
            self._close(row)

    def _close(self, row: int) -> None:
        """Where live readings have begun the newest hole ends."""
        holes, live_from = self._owed.holes.get(self._id(row)), int(self._feed.live_from[row])
        if holes and holes[-1].until is None and live_from != FAR:
            holes[-1].until = live_from

    def _id(self, row: int) -> str:
        return self._feed.signals[row].id

    async def remember(self) -> None:
        """Keeps on disk what is owed, for as long as the run lasts."""
        while True:
            try:
                self._owed.keep()
            except OSError as error:
                self._sink.note(ConditionCode.MISCONFIGURED, f"history.folder cannot be written: {error}")
            await asyncio.sleep(_KEEP_S)
