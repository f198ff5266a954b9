"""Signals that speak in another unit than their model knows: told from a step by a known conversion, and kept away
from whoever would score them.

From one reading to the next a signal leaves its healthy range for where a conversion of it lies, near its last healthy
value once converted back, while the machine's other signals go on as they did. That is a suspicion; CONFIRM readings
of it in a row, with as much unrest as in health once converted back, are a change of unit. It lasts until RETURN
readings in a row are back, or GIVE_UP in a row are far from its range in either unit while the machine's other signals
go on: a fault, and none of the unit. What is suspected is withheld already: one that comes to nothing was a spike. A
signal that goes astray in any other way is a fault, and whatever it does then is not looked at before it has been back
in its range.

Around zero no unit can be told from another: a signal whose last healthy value is near it is let pass.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from forewarn.policies.unit_conversions import CLEAR_FACTOR, Conversion

CONFIRM: Final = 5
RETURN: Final = 30
GIVE_UP: Final = 30  # readings that are too much alike, or of neither unit: a stuck number or a fault, others judge it
_LEAST_UNREST: Final = 0.25  # of the healthy one
_FAR: Final = 12.0  # times; beyond what a fault does at once
_FAR_ROOMS: Final = 4.0  # of a conversion by an offset
_NEAR_CLEAR: Final = 3.0
_NEAR: Final = 0.25
_NEAR_STEPS: Final = 6.0
_ASTRAY: Final = 1 / 3  # of the other signals: where more have left their ranges, the machine does something else
_READY, _SUSPECT, _CHANGED, _AWAY = 0, 1, 2, 3

Matrix = NDArray[np.float64]
Flags = NDArray[np.bool_]
Places = NDArray[np.intp]
Times = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class HealthyRange:
    """float64[machines, m] each, NaN where a signal is not watched. low, high: of healthy values; centre: their
    median; step: see Usual (NaN: the signal may well stand still)."""

    low: Matrix
    high: Matrix
    centre: Matrix
    step: Matrix


@dataclass(frozen=True, slots=True)
class UnitEvent:
    """A change began or is over. machine, column: whose; conversion: by place in its list. since: its first reading,
    at: the one that told, microseconds; value: what that said."""

    machine: int
    column: int
    conversion: int
    since: int
    at: int
    value: float
    over: bool


@dataclass(slots=True, eq=False)
class _Cells:
    """Some signals of a block, side by side. value, read, inside, time: [c, n]; usual_beside: bool[c, n], the machine's
    other signals are where they were."""

    machine: Places
    column: Places
    value: Matrix
    read: Flags
    inside: Flags
    time: Times
    usual_beside: Flags

    def take(self, which: Flags) -> "_Cells":
        """Some of them."""
        return _Cells(
            self.machine[which],
            self.column[which],
            self.value[which],
            self.read[which],
            self.inside[which],
            self.time[which],
            self.usual_beside[which],
        )


class UnitChanges:
    """Machines with equally many signals. For one thread."""

    def __init__(self, healthy: HealthyRange, known: Sequence[Sequence[Sequence[Conversion]]]) -> None:
        """known: by machine and column."""
        shape = healthy.low.shape
        self.known = known
        width = healthy.high - healthy.low
        # Wider than what was seen, and never across zero: downward a thousandth must lie outside.
        low, high = healthy.low - width / 2, healthy.high + width / 2
        self._low = np.where(healthy.low > 0, np.maximum(low, healthy.low / 2), low)
        self._high = np.where(healthy.high < 0, np.minimum(high, healthy.high / 2), high)
        self._step = healthy.step
        # Farther from the range than this is a fault; what is all above zero is never far below it by its width.
        to_zero = np.maximum(np.maximum(self._low, -self._high), 0.0)
        half = (self._high - self._low) / 2
        self._far = np.where(to_zero > 0, np.minimum(half, to_zero / 2), half)
        most = max((len(c) for row in known for c in row), default=0)
        self._factor, self._offset = np.full((*shape, most), np.nan), np.zeros((*shape, most))
        self._room = np.zeros((*shape, most))
        for i, row in enumerate(known):
            for j, own in enumerate(row):
                self._factor[i, j, : len(own)] = [c.factor for c in own]
                self._offset[i, j, : len(own)] = [c.offset for c in own]
                self._room[i, j, : len(own)] = [c.room for c in own]
        self._state: dict[str, NDArray[Any]] = {
            "state": np.zeros(shape, np.int8),
            "conversion": np.full(shape, -1, np.intp),
            "count": np.zeros(shape, np.int64),
            "lost": np.zeros(shape, np.int64),  # readings in a row of neither unit
            "since": np.zeros(shape, np.int64),
            "moved": np.zeros(shape),  # from reading to reading, while suspected
            "before": np.zeros(shape),  # the reading before that
            "last": healthy.centre.copy(),  # healthy value
        }
        self.events: list[UnitEvent] = []

    def carry(self, before: "UnitChanges", theirs: Places, ours: Places) -> None:
        """Go on where machines `theirs` of `before` are: of the same signals in the same units."""
        for name, mine in self._state.items():
            mine[ours] = before._state[name][theirs]

    def changed(self, machine: int) -> list[tuple[int, int]]:
        """(column, conversion) of what speaks in another unit now."""
        at = np.flatnonzero(self._state["state"][machine] == _CHANGED)
        return [(int(c), int(self._state["conversion"][machine, c])) for c in at]

    def resume(self, machine: int, column: int, conversion: int, since: int) -> None:
        """A change that stood when the last process ended."""
        if self._state["state"][machine, column] != _CHANGED:
            for name, value in (
                ("state", _CHANGED),
                ("conversion", conversion),
                ("count", 0),
                ("lost", 0),
                ("since", since),
            ):
                self._state[name][machine, column] = value

    def screen(self, machine: Places, time: Times, value: Matrix, read: Flags) -> Matrix:
        """Rows to come of k machines, n each: machine[k], time[k, n], value[k, n, m]; read: like value, it was read in
        this row and not held from one before. The values, NaN where they are withheld."""
        low, high = self._low[machine][:, None], self._high[machine][:, None]
        with np.errstate(invalid="ignore"):
            outside = (value < low) | (value > high)
        state = self._state["state"][machine]
        if not outside.any() and not state.any():
            self._remember(machine, value, read)
            return value
        inside = read & ~outside
        odd = (outside & read).any(axis=1) | (state != _READY)
        self._remember(machine, np.where(odd[:, None], np.nan, value), read)
        k, column = np.nonzero(odd)
        fits = self._fits(machine[k], column, value[k, :, column])
        fits &= np.asarray(outside[k, :, column])
        at = state[k, column]
        explained = fits.any(axis=1) & ((at != _AWAY) | inside[k, :, column].any(axis=1))
        lively = np.asarray(explained | (at == _SUSPECT) | (at == _CHANGED))
        self._rest(machine, value, inside & odd[:, None], read, (k[~lively], column[~lively]))
        if not lively.any():
            return value
        beside = self._beside(value, outside, (k, column, fits))
        k, column = k[lively], column[lively]
        cells = _Cells(
            machine[k],
            column,
            value[k, :, column],
            read[k, :, column],
            inside[k, :, column],
            time[k],
            beside[k, :, column],
        )
        screened = value.copy()
        screened[k, :, column] = np.where(self._withheld(cells), np.nan, cells.value)
        return screened

    def _remember(self, machine: Places, value: Matrix, read: Flags) -> None:
        """The newest value of signals that are where they belong."""
        last = self._state["last"]
        usable = read & ~np.isnan(value)
        if value.shape[1] == 1:  # on arrival
            last[machine] = np.where(usable[:, 0], value[:, 0], last[machine])
            return
        back = value.shape[1] - 1 - np.argmax(usable[:, ::-1], axis=1)
        newest = np.take_along_axis(value, back[:, None], axis=1)[:, 0]
        last[machine] = np.where(usable.any(axis=1), newest, last[machine])

    def _rest(self, machine: Places, value: Matrix, inside: Flags, read: Flags, at: tuple[Places, Places]) -> None:
        """Odd signals that no conversion explains: astray until they are back in their range."""
        k, column = at
        if not len(k):
            return
        own, heard = inside[k, :, column], read[k, :, column] & ~np.isnan(value[k, :, column])
        newest = heard.shape[1] - 1 - np.argmax(heard[:, ::-1], axis=1)
        back = own[np.arange(len(k)), newest]
        place = machine[k], column
        state = np.where(back, _READY, _AWAY)
        self._state["state"][place] = np.where(heard.any(axis=1), state, self._state["state"][place])
        healthy = own.shape[1] - 1 - np.argmax(own[:, ::-1], axis=1)
        last = value[k, healthy, column]
        self._state["last"][place] = np.where(own.any(axis=1), last, self._state["last"][place])

    def _fits(self, machine: Places, column: Places, value: Matrix) -> Flags:
        """[c, n]: some conversion would explain the value, wherever it was before."""
        fits = np.zeros(value.shape, np.bool_)
        low, high = self._low[machine, column][:, None], self._high[machine, column][:, None]
        with np.errstate(invalid="ignore", over="ignore"):
            for i in range(self._factor.shape[2]):
                factor, offset = (a[machine, column, i][:, None] for a in (self._factor, self._offset))
                healthy = (value - offset) / factor
                fits |= (healthy >= low) & (healthy <= high)
        return fits

    def _beside(self, value: Matrix, outside: Flags, explained: tuple[Places, Places, Flags]) -> Flags:
        """[k, n, m]: at most a third of the other signals have left their ranges without a conversion to explain it."""
        k, column, fits = explained
        astray = outside.copy()
        astray[k, :, column] &= ~fits
        known = np.isfinite(value)
        others = known.sum(axis=2, keepdims=True) - known
        return np.asarray(astray.sum(axis=2, keepdims=True) - astray <= _ASTRAY * others)

    def _withheld(self, cells: _Cells) -> Flags:
        """[c, n]."""
        at = cells.machine, cells.column
        lasts = self._state["state"][at] == _CHANGED
        if lasts.any():
            conversion = np.maximum(self._state["conversion"][at], 0)
            back = self._back(at, cells.value, conversion, cells.inside) | self._lost(cells, cells.value, conversion)
            lasts &= ~(back & cells.read).any(axis=1)
            for name in ("count", "lost"):
                self._state[name][at] = np.where(lasts & cells.read.any(axis=1), 0, self._state[name][at])
        withheld = np.repeat(lasts[:, None], cells.value.shape[1], axis=1)
        if not lasts.all():
            withheld[~lasts] = self._walk(cells.take(~lasts))
        return withheld

    def _walk(self, cells: _Cells) -> Flags:
        """Row by row, all cells together; which values are withheld."""
        place = cells.machine, cells.column
        withheld = np.zeros(cells.value.shape, np.bool_)
        s = {name: array[place] for name, array in self._state.items()}
        for t in range(cells.value.shape[1]):
            heard = cells.read[:, t] & ~np.isnan(cells.value[:, t])
            if heard.any():
                self._step_on(cells, s, t, heard)
            withheld[:, t] = (s["state"] == _SUSPECT) | (s["state"] == _CHANGED)
        for name, array in self._state.items():
            array[place] = s[name]
        return withheld

    def _step_on(self, cells: _Cells, s: Mapping[str, NDArray[Any]], t: int, heard: Flags) -> None:
        value, inside, time = cells.value[:, t], cells.inside[:, t], cells.time[:, t]
        was = s["state"].copy()
        best, found = self._likely(cells, value, s["last"])
        stays = (was == _SUSPECT) & heard & self._still(cells, s, value) & ~inside
        s["moved"][:] = np.where(stays, s["moved"] + np.abs(value - s["before"]), s["moved"])
        s["count"][:] = np.where(stays, s["count"] + 1, s["count"])
        begins = heard & ~inside & ~stays & found & cells.usual_beside[:, t]
        begins &= (was == _READY) | (was == _SUSPECT)
        astray = heard & ~inside & ~stays & ~begins & (was != _CHANGED)
        for name, now in (("conversion", best), ("count", 1), ("since", time), ("moved", 0.0)):
            s[name][:] = np.where(begins, now, s[name])
        s["before"][:] = np.where(begins | stays, value, s["before"])
        back = heard & inside & (was != _CHANGED)
        s["last"][:] = np.where(back, value, s["last"])
        s["state"][:] = np.select([begins, astray, back], [_SUSPECT, _AWAY, _READY], was)
        self._confirm(cells, s, t, stays)
        self._return(cells, s, t, heard & (was == _CHANGED))

    def _confirm(self, cells: _Cells, s: Mapping[str, NDArray[Any]], t: int, stays: Flags) -> None:
        """Its unrest must have changed with it: a fault moves a level, and the instrument's noise stays as it is."""
        at = cells.machine, cells.column
        factor = self._factor[(*at, np.maximum(s["conversion"], 0))]
        least = _LEAST_UNREST * np.nan_to_num(self._step[at]) * factor * (s["count"] - 1)
        sure = stays & (s["count"] >= CONFIRM) & (s["moved"] >= least)
        s["state"][:] = np.select([sure, stays & (s["count"] >= GIVE_UP)], [_CHANGED, _AWAY], s["state"])
        s["count"][:], s["lost"][:] = np.where(sure, 0, s["count"]), np.where(sure, 0, s["lost"])
        self._tell(cells, s, t, sure, over=False)

    def _return(self, cells: _Cells, s: Mapping[str, NDArray[Any]], t: int, heard: Flags) -> None:
        value, at = cells.value[:, t], (cells.machine, cells.column)
        conversion = np.maximum(s["conversion"], 0)
        back = self._back(at, value[:, None], conversion, cells.inside[:, t, None])[:, 0]
        lost = self._lost(cells, value[:, None], conversion)[:, 0] & cells.usual_beside[:, t] & ~back
        for name, one in (("count", back), ("lost", lost)):
            s[name][:] = np.where(heard, np.where(one, s[name] + 1, 0), s[name])
        over = heard & ((s["count"] >= RETURN) | (s["lost"] >= GIVE_UP))
        s["state"][:] = np.where(over, np.where(cells.inside[:, t], _READY, _AWAY), s["state"])
        s["last"][:] = np.where(over & cells.inside[:, t], value, s["last"])
        self._tell(cells, s, t, over, over=True)

    def _tell(self, cells: _Cells, s: Mapping[str, NDArray[Any]], t: int, which: Flags, *, over: bool) -> None:
        for c in np.flatnonzero(which).tolist():
            self.events.append(
                UnitEvent(
                    int(cells.machine[c]),
                    int(cells.column[c]),
                    int(s["conversion"][c]),
                    int(s["since"][c]),
                    int(cells.time[c, t]),
                    float(cells.value[c, t]),
                    over,
                )
            )

    def _back(self, at: tuple[Places, Places], value: Matrix, conversion: Places, inside: Flags) -> Flags:
        """[c, n]: nearer to the healthy range as it is than converted back; a fault, or none."""
        place = (*at, conversion)
        factor, offset = self._factor[place][:, None], self._offset[place][:, None]
        low, high = self._low[at][:, None], self._high[at][:, None]
        with np.errstate(invalid="ignore", over="ignore"):
            away, converted = (
                np.maximum(np.maximum(low - x, x - high), 0.0) for x in (value, (value - offset) / factor)
            )
            return np.asarray(inside | (away < converted))

    def _lost(self, cells: _Cells, value: Matrix, conversion: Places) -> Flags:
        """[c, n]: far from the healthy range even when it is converted back."""
        at = cells.machine, cells.column
        factor, offset = self._factor[(*at, conversion)][:, None], self._offset[(*at, conversion)][:, None]
        low, high, far = (a[at][:, None] for a in (self._low, self._high, self._far))
        with np.errstate(invalid="ignore", over="ignore"):
            healthy = (value - offset) / factor
            return np.asarray((healthy < low - far) | (healthy > high + far))

    def _still(self, cells: _Cells, s: Mapping[str, NDArray[Any]], value: Matrix) -> Flags:
        at = cells.machine, cells.column
        place = (*at, np.maximum(s["conversion"], 0))
        with np.errstate(invalid="ignore", over="ignore"):
            healthy = (value - self._offset[place]) / self._factor[place]
        return np.asarray((healthy >= self._low[at]) & (healthy <= self._high[at]))

    def _likely(self, cells: _Cells, value: Matrix, last: Matrix) -> tuple[Places, Flags]:
        """The conversion that brings the value nearest to the last healthy one, and whether one comes near enough."""
        at = cells.machine, cells.column
        factor, offset, room = (a[at] for a in (self._factor, self._offset, self._room))
        low, high = self._low[at][:, None], self._high[at][:, None]
        x, last = value[:, None], last[:, None]
        steps = _NEAR_STEPS * np.nan_to_num(self._step[at])[:, None]
        with np.errstate(all="ignore"):
            healthy = (x - offset) / factor
            away, ratio = np.abs(healthy - last), healthy / last
            clear = np.maximum(factor, 1 / factor) >= CLEAR_FACTOR
            alike = (ratio >= 1 / _NEAR_CLEAR) & (ratio <= _NEAR_CLEAR)
            natural = (last > 0) & (steps > 0)
            near = np.where(clear, alike, natural & (away <= np.maximum(_NEAR * last, steps)))
            times = x / last
            far = (times > _FAR) | ((times > 0) & (times < 1 / _FAR))
            by_offset = (away <= np.maximum(room, steps)) & (np.abs(x - last) >= _FAR_ROOMS * room)
            good = np.where(room > 0, by_offset, near & far) & (healthy >= low) & (healthy <= high)
        best = np.argmin(np.where(good, away, np.inf), axis=1)
        return best, np.asarray(good.any(axis=1))
