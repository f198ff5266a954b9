"""A watched folder: what is in its files is stored once, whatever happens meanwhile."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Final, TypeVar

import msgspec
from pydantic import BaseModel

from forewarn.contracts.connector import ReadingSink, SourceRequest
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import InvalidInput, SourceUnreachable, StorageFailed
from forewarn.domain.sources import SourceTimes
from forewarn.plugins.connectors.folder.afterwards import finish
from forewarn.plugins.connectors.folder.block import Block, Complaint
from forewarn.plugins.connectors.folder.csv_lines import read_csv
from forewarn.plugins.connectors.folder.ledger import FolderLedger, Seen
from forewarn.plugins.connectors.folder.looking import Watch
from forewarn.plugins.connectors.folder.meaning import Columns, Meaning
from forewarn.plugins.connectors.folder.parquet_rows import read_parquet
from forewarn.plugins.connectors.folder.settings import FolderSettings

_T = TypeVar("_T")
_TOLD_ONE_BY_ONE: Final = 5
_LET_GO_S: Final = 3.0


class FolderConnector:
    """See README.md."""

    name: ClassVar[str] = "folder"
    settings: ClassVar[type[BaseModel]] = FolderSettings
    times: ClassVar[SourceTimes] = SourceTimes.PAST

    async def run(self, request: SourceRequest, sink: ReadingSink) -> None:
        settings = request.settings
        assert isinstance(settings, FolderSettings)
        state = settings.state_file or settings.path / f".forewarn-{request.name}.json"
        ledger = watch = None
        while True:
            try:
                if ledger is None or watch is None:
                    ledger = await _in_thread(lambda: FolderLedger(state))
                    watch = Watch(settings, ledger, time.monotonic)
                due = await _in_thread(watch.look)
            except StorageFailed as error:
                if not await _in_thread(settings.path.is_dir):
                    raise SourceUnreachable(f"there is no folder {settings.path}: is it mounted?") from error
                sink.note(error.condition, str(error))
                due = []
            else:
                sink.connected()
                sink.alive()
            await _take_all(due, request, sink, ledger)
            await asyncio.sleep(settings.scan_s)


async def _take_all(
    due: Sequence[tuple[Path, Seen]], request: SourceRequest, sink: ReadingSink, ledger: FolderLedger | None
) -> None:
    if ledger is None:
        return
    try:
        for path, seen in due:
            await _File(path, request, sink, ledger).take(seen)
    except StorageFailed as error:
        sink.note(error.condition, str(error))
    for problem in ledger.problems():
        sink.note(ConditionCode.NONSENSE, f"{problem}. Correct the file or the settings, or take it away")


class _File:
    def __init__(self, path: Path, request: SourceRequest, sink: ReadingSink, ledger: FolderLedger) -> None:
        assert isinstance(request.settings, FolderSettings)
        self._path = path
        self._request = request
        self._settings = request.settings
        self._sink = sink
        self._ledger = ledger

    async def take(self, seen: Seen) -> None:
        """All of it, or until it cannot be read. Raises StorageFailed when the ledger cannot be written."""
        try:
            if not seen.done:
                seen = await self._store(seen)
            if seen.done:
                await _in_thread(lambda: finish(self._path, self._settings))
        except InvalidInput as error:
            self._sink.rejected(1, f"{self._path.name}: {error}", ConditionCode.NONSENSE)
            broken = msgspec.structs.replace(self._ledger.known(self._path.name) or seen, problem=str(error))
            await _in_thread(lambda: self._ledger.keep(self._path.name, broken))
        except OSError as error:
            self._sink.note(ConditionCode.FAILED, f"{self._path.name}: {error.strerror or error}")

    async def _store(self, seen: Seen) -> Seen:
        meaning = Meaning(self._path.name, self._settings, self._request.signals, seen.mark)
        blocks = self._blocks(seen)
        before = seen
        try:
            while (found := await _in_thread(lambda: _next(blocks, meaning))) is not None:
                block, columns, complaints = found
                self._tell(complaints)
                if len(columns[0]):
                    await self._sink.put(*columns)
                mark = replace(block.after, local_us=meaning.stamps.local_us, second_pass=meaning.stamps.second_pass)
                seen = msgspec.structs.replace(seen, mark=mark)
                await self._keep(seen)
        finally:
            await _in_thread(lambda: _close(blocks))
        if not self._settings.follows(self._path):
            seen = msgspec.structs.replace(seen, done=True)
        if seen != before or self._ledger.known(self._path.name) is None:
            await self._keep(seen)
        return seen

    async def _keep(self, seen: Seen) -> None:
        await _in_thread(lambda: self._ledger.keep(self._path.name, seen))

    def _blocks(self, seen: Seen) -> Iterator[Block]:
        if self._path.suffix.lower() == ".parquet":
            return read_parquet(self._path, self._settings, seen.mark)
        return read_csv(self._path, self._settings, seen.mark, ended=not self._settings.follow)

    def _tell(self, complaints: list[Complaint]) -> None:
        word = "row" if self._path.suffix.lower() == ".parquet" else "line"
        ordered = sorted(complaints, key=lambda each: each.line)
        for each in ordered[:_TOLD_ONE_BY_ONE]:
            self._sink.rejected(1, f"{self._path.name} {word} {each.line}: {each.text}")
        if rest := ordered[_TOLD_ONE_BY_ONE:]:
            self._sink.rejected(len(rest), f"{self._path.name} {word} {rest[0].line} and others: {rest[0].text}")


def _next(blocks: Iterator[Block], meaning: Meaning) -> tuple[Block, Columns, list[Complaint]] | None:
    block = next(blocks, None)
    return None if block is None else (block, *meaning.readings(block))


def _close(blocks: Iterator[Block]) -> None:
    close = getattr(blocks, "close", None)
    if close is not None:
        close()


async def _in_thread(work: Callable[[], _T]) -> _T:
    """A share that hangs holds up this source alone. Cancelled, it waits a moment for the thread to let go."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=_LET_GO_S)
        raise
