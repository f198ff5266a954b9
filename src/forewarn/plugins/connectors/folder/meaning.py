"""From a file's columns to readings: which column is which signal, and what of it cannot be taken."""

import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.assets import Signal
from forewarn.domain.errors import InvalidInput
from forewarn.domain.status import GOOD, is_bad
from forewarn.plugins.connectors.folder.block import Block, Bookmark, Complaint
from forewarn.plugins.connectors.folder.settings import FolderSettings
from forewarn.plugins.connectors.folder.stamps import NONE, Instants, Stamps

Columns = tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float64], NDArray[np.uint32]]
TIME_NAMES: Final = ("time", "timestamp", "datetime", "date")
LONG_NAMES: Final = ("signal_id", "value")
_BAD_NO_DATA: Final = 0x809B_0000
_WORDS: Final = {"true": 1.0, "false": 0.0, "on": 1.0, "off": 0.0}
_QUALITIES: Final = {"": 0, "good": 0, "uncertain": 0x4000_0000, "bad": 0x8000_0000}


class Meaning:
    """What the columns of one file mean. Its blocks come in order."""

    def __init__(self, name: str, settings: FolderSettings, signals: Sequence[Signal], start: Bookmark) -> None:
        self._settings = settings
        self._keys = {s.id: s.key for s in signals} | {s.address: s.key for s in signals if s.address}
        self._fillers = _fillers(name, settings)
        self.stamps = Stamps(settings.time_format, settings.time_zone, start.local_us, start.second_pass)

    def readings(self, block: Block) -> tuple[Columns, list[Complaint]]:
        """Rows in the file's order, a wide file's column after column.

        Raises InvalidInput when the file has no time column or nothing that is a signal of ours."""
        names = list(block.columns)
        long = self._is_long(names)
        time_name = self._time_name(names)
        wide = {} if long else self._wide(names, time_name)
        complaints = list(block.complaints)
        time = self.stamps.to_utc(block.columns[time_name], time_name in block.zoned)
        complaints += _told(block, time == NONE, time_name, "is no time; set time_format if it is written otherwise")
        parts = (
            [self._long_part(block, time, complaints)]
            if long
            else [self._wide_part(block, column, key, time, complaints) for column, key in wide.items()]
        )
        signal, at, value, quality = (np.concatenate(column) for column in zip(*parts, strict=True))
        return (signal, at, value, quality), complaints

    def _is_long(self, names: Sequence[str]) -> bool:
        layout = self._settings.layout
        wanted = [self._file_name(name) for name in LONG_NAMES]
        if layout == "long" and (absent := [name for name in wanted if name not in names]):
            raise InvalidInput(f"there is no column {absent[0]!r}: found {', '.join(names)}. Map it in columns")
        return layout != "wide" and all(name in names for name in wanted)

    def _file_name(self, ours: str) -> str:
        return self._settings.columns.get(ours, ours)

    def _time_name(self, names: Sequence[str]) -> str:
        if (wanted := self._settings.time_column) is not None:
            found = wanted if wanted in names else None
        else:
            mapped = self._settings.columns.get("time")
            found = mapped if mapped in names else next((n for n in names if n.strip().lower() in TIME_NAMES), None)
        if found is None:
            expected = wanted or f"one of {', '.join(TIME_NAMES)}"
            raise InvalidInput(f"there is no time column: expected {expected}, found {', '.join(names)}")
        return found

    def _wide(self, names: Sequence[str], time_name: str) -> dict[str, int]:
        """Column -> key."""
        found: dict[str, int] = {}
        for name in names:
            if name != time_name and (key := self._keys.get(self._address(name))) is not None:
                found[name] = key
        if not found:
            others = [name for name in names if name != time_name]
            tried = f"; tried as address {self._address(others[0])!r}" if others else ""
            raise InvalidInput(f"no column is a signal of this source: found {', '.join(others)}{tried}")
        return found

    def _address(self, column: str) -> str:
        mapped = self._settings.columns.get(column)
        return mapped if mapped is not None else self._settings.address.format(column=column, **self._fillers)

    def _key(self, name: str) -> int:
        address = self._settings.address.format(column=name, **self._fillers)
        return self._keys.get(address) or self._keys.get(name, 0)

    def _wide_part(self, block: Block, name: str, key: int, time: Instants, complaints: list[Complaint]) -> Columns:
        value, wrong = self._numbers(block.columns[name])
        complaints += _told(block, wrong, name, "is no finite number")
        keep = (time != NONE) & ~wrong
        if self._settings.empty == "skip":
            keep &= ~np.isnan(value)
        quality = np.where(np.isnan(value), _BAD_NO_DATA, GOOD).astype(np.uint32)
        n = int(keep.sum())
        return np.full(n, key, np.int32), time[keep], value[keep], quality[keep]

    def _long_part(self, block: Block, time: Instants, complaints: list[Complaint]) -> Columns:
        signal_name, value_name = self._file_name("signal_id"), self._file_name("value")
        unique, of = np.unique(block.columns[signal_name].astype(np.str_), return_inverse=True)
        keys = np.array([self._key(name) for name in unique.tolist()], np.int32)[of]
        value, wrong = self._numbers(block.columns[value_name])
        quality, unknown = self._qualities(block, len(value))
        complaints += _told(block, keys == 0, signal_name, "is no signal of this source")
        complaints += _told(block, wrong, value_name, "is no finite number")
        complaints += _told(
            block, unknown, self._file_name("quality"), "is no quality: write good, bad or a StatusCode"
        )
        quality[np.isnan(value) & ~is_bad(quality)] = _BAD_NO_DATA
        keep = (time != NONE) & (keys > 0) & ~wrong & ~unknown
        if self._settings.empty == "skip":
            keep &= ~np.isnan(value)
        return keys[keep], time[keep], value[keep], quality[keep]

    def _qualities(self, block: Block, rows: int) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
        column = block.columns.get(self._file_name("quality"))
        if column is None:
            return np.zeros(rows, np.uint32), np.zeros(rows, np.bool_)
        unique, of = np.unique(column.astype(np.str_), return_inverse=True)
        codes = [_code(text) for text in unique.tolist()]
        unknown = np.array([code is None for code in codes], np.bool_)[of]
        return np.array([code or 0 for code in codes], np.uint32)[of], unknown

    def _numbers(self, column: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Values, NaN where the file says nothing, and where it says something that is no finite number."""
        if column.dtype.kind in "iufb":
            value = column.astype(np.float64)
            return value, np.isinf(value)
        if column.dtype.kind == "M":
            return np.full(len(column), np.nan), np.ones(len(column), np.bool_)
        text = np.char.replace(column, ",", ".") if self._settings.decimal == "," else column
        missing = np.isin(column, self._settings.missing)
        try:
            value = np.where(missing, "nan", text).astype(np.float64)
            wrong = ~missing & ~np.isfinite(value)
        except ValueError:
            value = np.array([_number(t) for t in np.where(missing, "nan", text).tolist()], np.float64)
            wrong = ~missing & ~np.isfinite(value)
        return np.where(wrong, np.nan, value), wrong


def _number(text: str) -> float:
    """NaN where it is none."""
    if (word := _WORDS.get(text.lower())) is not None:
        return word
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _code(text: str) -> int | None:
    if (known := _QUALITIES.get(text.lower())) is not None:
        return known
    try:
        code = int(text, 0)
    except ValueError:
        return None
    return code if 0 <= code <= 0xFFFF_FFFF else None


def _fillers(name: str, settings: FolderSettings) -> dict[str, str]:
    fillers = {"file": PurePath(name).stem}
    if settings.file_groups is not None:
        found = re.search(settings.file_groups, name)
        if found is None:
            raise InvalidInput(f"its name does not fit file_groups {settings.file_groups!r}")
        fillers |= {group: text or "" for group, text in found.groupdict().items()}
    return fillers


def _told(block: Block, wrong: NDArray[np.bool_], column: str, why: str) -> list[Complaint]:
    given = block.columns.get(column)
    assert given is not None or not wrong.any()
    return [
        Complaint(int(block.lines[row]), f"column {column}: {str(given[row])!r:.60} {why}")
        for row in np.flatnonzero(wrong).tolist()
        if given is not None
    ]
