"""Many small files into few large ones: which to take, and how without holding them in memory."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from forewarn.plugins.historians.parquet import encoding, rollup, statistics
from forewarn.plugins.historians.parquet.manifest import PARTITION_US, FileEntry, Inventory, Kind
from forewarn.plugins.historians.parquet.rows import run_starts
from forewarn.plugins.historians.parquet.sorted_file import Piece, SortedFileWriter
from forewarn.plugins.historians.parquet.store import Store
from forewarn.plugins.historians.parquet.writing import FilePlace

# Rollup files are read by every chart, so fewer of them are kept than segments.
FAN_IN: Final = {Kind.RAW: 8, Kind.MINUTE: 4, Kind.HOUR: 4}
LARGEST: Final = 64_000_000
PIECE_ROWS: Final = 1_000_000
_CLOSED_AFTER_US: Final = 600_000_000


def choose(inventory: Inventory, newest_us: int) -> tuple[FileEntry, ...] | None:
    """Files of one partition to merge next, neighbours in generation; None when all is well.

    Only neighbours, because a merged file stands for one span of generations and later ones must win over it."""
    for (kind, partition), entries in inventory.files.items():
        if len(entries) < 2:
            continue
        closed = partition + PARTITION_US[kind] + _CLOSED_AFTER_US <= newest_us
        found = _alike(entries, FAN_IN[kind]) or (_remainder(entries) if closed else None)
        if found is not None:
            return found
    return None


def merge(store: Store, directory: Path, entries: Sequence[FileEntry], *, complete: bool) -> FileEntry:
    """One file with what `entries` say together. `complete`: nothing older is in the partition."""
    first, last = entries[0], entries[-1]
    place = FilePlace(directory, first.kind, first.partition, first.oldest, last.generation)
    shape = encoding.Shape.of([store.cache.open(e).schema for e in entries]) if first.kind is Kind.RAW else None
    layout = rollup.LAYOUT if shape is None else encoding.layout(shape)
    writer = SortedFileWriter(directory / place.path, layout)
    try:
        for piece in _rolled(store, entries) if shape is None else _readings(store, entries, shape):
            writer.write(piece)
        written = writer.finish()
    except BaseException:
        writer.abandon()
        raise
    span = (min(e.min_time for e in entries), max(e.max_time for e in entries))
    # What overwrote a reading of these very files is gone; the rest overwrites readings of older ones.
    repeated = sum(e.rows for e in entries) - written.rows
    overwrites = 0 if complete else sum(e.overwrites for e in entries) - repeated
    return place.entry(written, span, overwrites=overwrites if first.kind is Kind.RAW else 0)


def _readings(store: Store, entries: Sequence[FileEntry], shape: encoding.Shape) -> Iterator[Piece]:
    for signals in store.signal_chunks(entries, None, PIECE_ROWS):
        series = store.newest(entries, signals)
        count = np.diff(run_starts(series.signal), append=len(series))
        yield encoding.encode(series, count, shape)[0]


def _rolled(store: Store, entries: Sequence[FileEntry]) -> Iterator[Piece]:
    for signals in store.signal_chunks(entries, None, PIECE_ROWS):
        yield rollup.encode(statistics.merge(store.rolled_in(entries, signals)))


def _alike(entries: Sequence[FileEntry], fan_in: int) -> tuple[FileEntry, ...] | None:
    """The first run of at least `fan_in` neighbours of the lowest tier that has one."""
    tiers = [int(np.log2(e.rows + 1) / np.log2(fan_in)) for e in entries]
    for tier in sorted(set(tiers)):
        run: list[FileEntry] = []
        for entry, its in zip(entries, tiers, strict=True):
            if its > tier:
                run = []
                continue
            run.append(entry)
            if len(run) == fan_in and sum(e.rows for e in run) <= LARGEST:
                return tuple(run)
            run = run[-fan_in + 1 :]
    return None


def _remainder(entries: Sequence[FileEntry]) -> tuple[FileEntry, ...] | None:
    """Of a closed partition: the longest tail of files whose first is not far larger than all the rest."""
    for at in range(len(entries) - 1):
        rest = sum(e.rows for e in entries[at + 1 :])
        if entries[at].rows <= 4 * rest and entries[at].rows + rest <= LARGEST:
            return tuple(entries[at:])
    return None
