"""From a time column, however it is written, to microseconds UTC."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.errors import InvalidInput

Instants = NDArray[np.int64]
NONE: Final = np.iinfo(np.int64).min
_EPOCH: Final = datetime(1970, 1, 1)
_PER_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_QUARTER_US: Final = 900_000_000  # no zone's offset changes at another time than a full quarter of an hour
_BACK_US: Final = 1_800_000_000
_FIRST_YEAR_US: Final = -62_135_596_800_000_000
_LAST_YEAR_US: Final = 253_402_300_799_999_999


class Stamps:
    """Reads the times of one file in order.

    In the hour that comes twice when the clocks go back, times are of the first pass until they jump back by half an
    hour or more. local_us, second_pass: the last local time read, and whether its night is in the second pass."""

    def __init__(self, form: str, zone: str, local_us: int | None = None, second_pass: bool = False) -> None:
        self._form = form
        self._zone = ZoneInfo(zone)
        self._is_utc = zone == "UTC"
        self.local_us = local_us
        self.second_pass = second_pass

    def to_utc(self, column: NDArray[Any], zoned: bool) -> Instants:
        """NONE where there is no time. zoned: a datetime column is UTC already."""
        if column.dtype.kind == "M":
            return column.astype(np.int64) if zoned else self._from_local(column.astype(np.int64))
        if column.dtype.kind in "iuf":
            return _counted(column, self._form)
        return self._from_text(column)

    def _from_text(self, column: NDArray[np.str_]) -> Instants:
        if "%" in self._form:
            return self._one_by_one(column)
        try:
            return _counted(column.astype(np.int64), self._form)
        except (ValueError, OverflowError):
            pass
        try:
            return _counted(column.astype(np.float64), self._form)
        except ValueError:
            if self._form != "auto":
                return self._one_by_one(column)
        ends_in_z = np.char.endswith(column, "Z")
        # numpy reads a few words as times too, and drops offsets; all else it reads right.
        plain = (np.char.str_len(column) <= 27).all() and (column.astype("U1") <= "9").all()
        plain = plain and (np.char.count(column, "-") <= 2).all() and (np.char.count(column, "+") == 0).all()
        if len(column) and plain and (ends_in_z.all() or not ends_in_z.any()):
            try:
                found = np.char.rstrip(column, "Z").astype("datetime64[us]").astype(np.int64)
            except ValueError:
                return self._one_by_one(column)
            return found if ends_in_z.all() else self._from_local(found)
        return self._one_by_one(column)

    def _one_by_one(self, column: NDArray[np.str_]) -> Instants:
        """For the rare forms, and to leave out what is no time at all."""
        found = np.full(len(column), NONE, np.int64)
        local = np.zeros(len(column), np.bool_)
        for i, text in enumerate(column.tolist()):
            moment = self._moment(text)
            if isinstance(moment, int):
                found[i] = moment
            elif moment is not None:
                local[i] = moment.tzinfo is None
                naive = moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
                found[i] = (naive - _EPOCH) // timedelta(microseconds=1)
        found[local] = self._from_local(found[local])
        return found

    def _moment(self, text: str) -> datetime | int | None:
        try:
            if "%" in self._form:
                return datetime.strptime(text, self._form)
            if self._form == "auto" and not _is_number(text):
                return datetime.fromisoformat(text)
            at = int(_counted(np.array([float(text)]), self._form)[0])
        except (ValueError, OverflowError):
            return None
        return None if at == NONE else at

    def _from_local(self, local: Instants) -> Instants:
        if self._is_utc or not len(local):
            return local
        quarter, of = np.unique(local // _QUARTER_US, return_inverse=True)
        first, second = (
            np.array([self._offset_us(q, fold) for q in quarter.tolist()], np.int64)[of] for fold in (0, 1)
        )
        twice = first > second  # in the spring's gap it is the other way round, and the first holds
        return np.where(local == NONE, NONE, local - np.where(twice & self._second_passes(local, twice), second, first))

    def _offset_us(self, quarter: int, fold: int) -> int:
        at = quarter * _QUARTER_US
        if not _FIRST_YEAR_US <= at <= _LAST_YEAR_US:
            return 0
        offset = (_EPOCH + timedelta(microseconds=at)).replace(tzinfo=self._zone, fold=fold).utcoffset()
        return (offset or timedelta()) // timedelta(microseconds=1)

    def _second_passes(self, local: Instants, twice: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which rows lie in the second pass; remembers where the file stands."""
        before = np.concatenate(([local[0] if self.local_us is None else self.local_us], local[:-1]))
        jumps = twice & (local < before - _BACK_US)
        passes = np.zeros(len(local), np.bool_)
        second = self.second_pass
        for start, end in _runs(twice):
            if start:
                second = False
            passes[start:end] = np.logical_or.accumulate(jumps[start:end]) | second
            second = bool(passes[end - 1])
        self.second_pass = second and bool(twice[-1])
        self.local_us = int(local[-1])
        return passes


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _counted(column: NDArray[Any], form: str) -> Instants:
    """Numbers since 1970, their unit told by the largest's size where the form is auto."""
    if form not in (*_PER_SECOND, "auto"):
        raise InvalidInput(f"the time column holds numbers, and time_format is {form!r}")
    known = column[np.isfinite(column)]
    largest = float(np.abs(known).max()) if len(known) else 0.0
    per_second = _PER_SECOND[_unit(largest) if form == "auto" else form]
    if column.dtype.kind != "f":
        whole = column.astype(np.int64)
        scaled: Instants = (
            whole // (per_second // 1_000_000) if per_second > 1_000_000 else whole * (1_000_000 // per_second)
        )
        return np.where(np.abs(whole) <= _LAST_YEAR_US // 1_000_000 * per_second, scaled, NONE)
    exact = np.where(np.isfinite(column), column, np.inf) * (1_000_000 / per_second)
    fits = np.abs(exact) <= _LAST_YEAR_US
    found = np.full(len(exact), NONE, np.int64)
    found[fits] = np.round(exact[fits])
    return found


def _unit(largest: float) -> str:
    """Seconds below 1e11 (the year 5138), and so on by thousands: up to then they never meet."""
    return "s" if largest < 1e11 else "ms" if largest < 1e14 else "us" if largest < 1e17 else "ns"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
