"""A Parquet file whose rows are ordered by signal, with an index of the signals in its footer.

Written under a temporary name, fsynced, renamed, directory fsynced: a file that bears its name is whole.
The footer's key `forewarn.index` says where each signal's rows lie, so a read touches only their row groups.
"""

import base64
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from forewarn.domain.errors import StorageDamaged
from forewarn.plugins.historians.parquet.row_groups import Column, GroupCache, columns_of, joined
from forewarn.plugins.historians.parquet.rows import Keys, Mask, Rows, ranges

_INDEX: Final = b"forewarn.index"
_TAIL: Final = 8  # footer length (4 bytes, little endian) and the magic PAR1


class SegmentDamaged(StorageDamaged):
    """A file of the historian is not as it was written."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            f"historian file {path} is damaged: {why}. Restore it from a backup or a replica; "
            "nothing was read from it and nothing was changed."
        )
        self.path = path


@dataclass(frozen=True, slots=True)
class Layout:
    """How a kind of file is written; `group_rows` rows at most in a row group."""

    schema: pa.Schema
    encodings: Mapping[str, str]
    dictionary: Sequence[str]
    group_rows: int


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Rows to write: all rows of the signals `signal`, `count[i]` of each. Bit b of a row group's flags is set
    where masks[b] holds for any of its rows."""

    table: pa.Table
    signal: Keys
    count: Rows
    scale: NDArray[np.int8]
    masks: Sequence[Mask] = ()


@dataclass(frozen=True, slots=True, eq=False)
class SignalIndex:
    """signal[n] ascending; first[n+1]: row where each begins; scale[n]; group_first[g+1]; group_flags[g]."""

    signal: Keys
    first: Rows
    scale: NDArray[np.int8]
    group_first: Rows
    group_flags: NDArray[np.uint8]

    def to_text(self) -> bytes:
        parts = (
            np.array([len(self.signal), len(self.group_flags)], "<i8"),
            np.diff(self.first).astype("<i8"),
            np.diff(self.group_first).astype("<i8"),
            self.signal.astype("<i4"),
            self.scale,
            self.group_flags,
        )
        return base64.b64encode(zlib.compress(b"".join(p.tobytes() for p in parts), 1))

    @staticmethod
    def from_text(text: bytes) -> "SignalIndex":
        data = zlib.decompress(base64.b64decode(text))
        n, g = (int(x) for x in np.frombuffer(data, "<i8", 2))
        counts = np.frombuffer(data, "<i8", n, 16)
        groups = np.frombuffer(data, "<i8", g, 16 + 8 * n)
        at = 16 + 8 * (n + g)
        return SignalIndex(
            np.frombuffer(data, "<i4", n, at),
            np.concatenate(([0], np.cumsum(counts))),
            np.frombuffer(data, np.int8, n, at + 4 * n),
            np.concatenate(([0], np.cumsum(groups))),
            np.frombuffer(data, np.uint8, g, at + 5 * n),
        )


@dataclass(frozen=True, slots=True)
class Written:
    """Facts of a finished file for the manifest. `footer_crc`: crc32 of the Parquet footer with its last 8 bytes."""

    rows: int
    bytes: int
    footer_crc: int
    min_signal: int
    max_signal: int


class SortedFileWriter:
    """Takes pieces with rising signals, then `finish`. Leaves nothing under `path` unless finished."""

    def __init__(self, path: Path, layout: Layout) -> None:
        self._path, self._layout = path, layout
        self._temporary = path.with_name(path.name + ".tmp")
        self._signals: list[tuple[Keys, Rows, NDArray[np.int8]]] = []
        self._group_rows: list[int] = []
        self._group_flags: list[int] = []
        _make_directory(path.parent)
        self._writer = pq.ParquetWriter(
            self._temporary,
            layout.schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=list(layout.dictionary),
            column_encoding=dict(layout.encodings),
            write_statistics=["signal", layout.schema.names[1]],
            write_page_checksum=True,
            store_schema=False,
        )

    def write(self, piece: Piece) -> None:
        step = self._layout.group_rows
        for at in range(0, piece.table.num_rows, step):
            rows = slice(at, at + step)
            part = piece.table.slice(at, step)
            self._writer.write_table(part, row_group_size=step)
            self._group_rows.append(part.num_rows)
            self._group_flags.append(sum(1 << b for b, mask in enumerate(piece.masks) if mask[rows].any()))
        # Not the table: a file of any size is written in the memory of one piece.
        self._signals.append((piece.signal, piece.count, piece.scale))

    def finish(self) -> Written:
        signals, counts, scales = zip(*self._signals, strict=True)
        signal = np.concatenate(signals)
        first = np.concatenate(([0], np.cumsum(np.concatenate(counts))))
        index = SignalIndex(
            signal,
            first,
            np.concatenate(scales),
            np.concatenate(([0], np.cumsum(self._group_rows))),
            np.array(self._group_flags, np.uint8),
        )
        self._writer.add_key_value_metadata({_INDEX: index.to_text()})
        self._writer.close()
        with self._temporary.open("rb") as file:
            os.fsync(file.fileno())
            crc = zlib.crc32(_footer(file.fileno(), self._path))
            size = os.fstat(file.fileno()).st_size
        self._temporary.rename(self._path)
        _sync_directory(self._path.parent)
        return Written(int(first[-1]), size, crc, int(signal[0]), int(signal[-1]))

    def abandon(self) -> None:
        self._writer.close()
        self._temporary.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Rows read together: runs of signals in order (a run may go on in the next chunk)."""

    signal: Keys
    count: Rows
    scale: NDArray[np.int8]
    flags: int
    columns: Mapping[str, Column]
    picked: "slice | Rows"

    @property
    def rows(self) -> int:
        return int(self.count.sum())

    def row_signals(self) -> Keys:
        return np.repeat(self.signal, self.count)

    def column(self, name: str) -> NDArray[Any]:
        """The rows' values, not to be written to; nulls are 0, instants int64 microseconds."""
        return self.columns[name].values[self.picked]

    def present(self, name: str) -> Mask:
        """Where the column is not null."""
        present = self.columns[name].present
        return np.ones(self.rows, np.bool_) if present is None else present[self.picked]


class SortedFile:
    """An open file: its footer in memory, its data on disk and, where `kept`, of late needed row groups in memory.
    Any thread may read.

    Raises SegmentDamaged when size or footer differ from the manifest; FileNotFoundError when it is gone."""

    def __init__(self, path: Path, size: int, footer_crc: int, kept: GroupCache | None = None) -> None:
        self.path, self._kept = path, kept
        with path.open("rb") as file:
            actual = os.fstat(file.fileno()).st_size
            if actual != size:
                raise SegmentDamaged(path, f"it has {actual} bytes, {size} were written")
            footer = _footer(file.fileno(), path)
        if zlib.crc32(footer) != footer_crc:
            raise SegmentDamaged(path, "its footer fails the checksum")
        self._metadata = pq.read_metadata(pa.BufferReader(footer))
        self.index = SignalIndex.from_text(self._metadata.metadata[_INDEX])
        self.weight = len(footer) + 24 * len(self.index.signal)
        self.schema = self._metadata.schema.to_arrow_schema()

    def chunks(self, signals: Keys | None, max_rows: int) -> "list[ChunkPlan]":
        """What to read for `signals` (ascending; None = all), in pieces of about `max_rows`."""
        index = self.index
        which = np.arange(len(index.signal)) if signals is None else self._places(signals)
        if not len(which):
            return []
        first, last = index.first[which], index.first[which + 1]
        groups = _groups(index.group_first, first, last)
        size = np.cumsum(np.diff(index.group_first)[groups])
        cuts = np.flatnonzero(np.diff((size - 1) // max_rows)) + 1
        return [ChunkPlan(self, part, which, first, last) for part in np.split(groups, cuts)]

    def rows_of(self, signals: Keys) -> int:
        """How many rows these (ascending, unique) have."""
        which = self._places(signals)
        return int((self.index.first[which + 1] - self.index.first[which]).sum())

    def _places(self, signals: Keys) -> NDArray[np.intp]:
        known = self.index.signal
        at: NDArray[np.intp] = np.minimum(np.searchsorted(known, signals), len(known) - 1)
        return at[np.equal(known[at], signals)]

    def read_groups(self, groups: Rows, names: Sequence[str], *, keep: bool) -> Mapping[str, Column]:
        """The groups' rows, one after the other. `keep`: they will be wanted again, each on its own."""
        if not keep or self._kept is None:
            return self._decoded([groups.tolist()], names)[0]
        found = {group: self._kept.get(self.path, group, names) for group in groups.tolist()}
        lacking = [group for group, columns in found.items() if columns is None]
        if lacking:
            for group, columns in zip(lacking, self._decoded([[g] for g in lacking], names), strict=True):
                found[group] = columns
                self._kept.put(self.path, group, columns)
        return joined([columns for columns in found.values() if columns is not None], names)

    def keeps(self, group: int) -> bool:
        return self._kept is not None and self._kept.get(self.path, group, ()) is not None

    def _decoded(self, parts: Sequence[Sequence[int]], names: Sequence[str]) -> list[Mapping[str, Column]]:
        try:
            with pq.ParquetFile(
                self.path, metadata=self._metadata, memory_map=True, page_checksum_verification=True
            ) as file:
                return [
                    columns_of(file.read_row_groups(list(part), columns=list(names), use_threads=False))
                    for part in parts
                ]
        except FileNotFoundError:
            raise
        except (OSError, pa.ArrowException) as error:
            raise SegmentDamaged(self.path, str(error).splitlines()[0]) from error


@dataclass(frozen=True, slots=True, eq=False)
class ChunkPlan:
    """Some row groups of a file and the runs of signals wanted from them."""

    file: SortedFile
    groups: Rows
    which: NDArray[np.intp]
    first: Rows
    last: Rows
    keep: bool = False

    @property
    def flags(self) -> int:
        return int(np.bitwise_or.reduce(self.file.index.group_flags[self.groups]))

    @property
    def kept(self) -> bool:
        """Whether its rows are, most likely, in memory."""
        return self.keep and all(self.file.keeps(group) for group in self.groups.tolist())

    @property
    def rows(self) -> int:
        """Of the wanted signals, in the whole file."""
        return int((self.last - self.first).sum())

    def read(self, columns: Sequence[str]) -> Chunk:
        index = self.file.index
        begin, end = index.group_first[self.groups[0]], index.group_first[self.groups[-1] + 1]
        inside = (self.last > begin) & (self.first < end)
        which = self.which[inside]
        first, last = np.maximum(self.first[inside], begin), np.minimum(self.last[inside], end)
        # Row groups that lie between but hold nothing wanted are not read: rows after them move up.
        sizes = np.diff(index.group_first)[self.groups]
        moved = index.group_first[self.groups] - (np.cumsum(sizes) - sizes)
        at = first - moved[np.searchsorted(index.group_first[self.groups], first, "right") - 1]
        count = last - first
        dense = bool((at[1:] == (at + count)[:-1]).all())
        picked = slice(int(at[0]), int(at[-1] + count[-1])) if dense else ranges(at, count)
        found = self.file.read_groups(self.groups, columns, keep=self.keep)
        return Chunk(index.signal[which], count, index.scale[which], self.flags, found, picked)


def _groups(group_first: Rows, first: Rows, last: Rows) -> Rows:
    low = np.searchsorted(group_first, first, "right") - 1
    high = np.searchsorted(group_first, last, "left")
    if len(first) == 1:
        return np.arange(low[0], high[0])
    return np.unique(ranges(low, high - low))


def _footer(descriptor: int, path: Path) -> bytes:
    """The footer with the 8 bytes that end a Parquet file."""
    size = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, _TAIL, max(0, size - _TAIL))
    length = int.from_bytes(tail[:4], "little") + _TAIL
    if len(tail) < _TAIL or tail[4:] != b"PAR1" or length > size:
        raise SegmentDamaged(path, "it does not end like a Parquet file")
    return os.pread(descriptor, length, size - length)


def _make_directory(directory: Path) -> None:
    if directory.is_dir():
        return
    _make_directory(directory.parent)
    directory.mkdir(exist_ok=True)
    _sync_directory(directory.parent)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
