"""What the world asks of a machine: load cycle, planned stops, weather. Functions of absolute time, no state."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forewarn.kit.clock import DAY, HOUR
from forewarn.simulator.quantities import Array

_WEEK = 7 * DAY
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday; Monday is 0


@dataclass(frozen=True, slots=True)
class WeeklyStop:
    """A planned stop: weekday 0 = Monday, hours in local time."""

    weekday: int
    hour: float
    hours: float


@dataclass(frozen=True, slots=True)
class Climate:
    """Ambient temperature at the machine, degC: yearly and daily swing about a mean; local time = UTC + offset."""

    mean: float = 27.0
    seasonal: float = 3.5
    daily: float = 2.5
    warmest_day: float = 130.0
    warmest_hour: float = 15.0
    utc_offset_hours: float = 5.5

    def local(self, times: NDArray[np.int64]) -> NDArray[np.int64]:
        """Local microseconds since the epoch."""
        return times + np.int64(self.utc_offset_hours * HOUR)

    def ambient(self, times: NDArray[np.int64]) -> Array:
        local = self.local(times)
        year = local / (365.2425 * DAY) - self.warmest_day / 365.2425
        day = local / DAY - self.warmest_hour / 24.0
        result: Array = self.mean + self.seasonal * np.cos(2.0 * np.pi * year) + self.daily * np.cos(2.0 * np.pi * day)
        return result


@dataclass(frozen=True, slots=True)
class Duty:
    """Mean load 0-1, its daily swing and its dip at the weekend; `stops` are planned."""

    load: float = 0.86
    daily: float = 0.05
    weekend_dip: float = 0.06
    stops: tuple[WeeklyStop, ...] = ()


def demand(times: NDArray[np.int64], duty: Duty, climate: Climate) -> Array:
    """Load asked for, 0-1: highest at two in the afternoon, lower at weekends with soft edges of about 1.5 h."""
    local = climate.local(times)
    day = np.cos(2.0 * np.pi * (local / DAY - 14.0 / 24.0))
    in_week = (local + _EPOCH_WEEKDAY * DAY) % _WEEK
    from_sunday = np.abs((in_week - 6 * DAY + _WEEK // 2) % _WEEK - _WEEK // 2)
    weekend = 1.0 / (1.0 + np.exp(np.clip((from_sunday - DAY) / (1.5 * HOUR), -60.0, 60.0)))
    result: Array = duty.load + duty.daily * day - duty.weekend_dip * weekend
    return result


def scheduled(times: NDArray[np.int64], duty: Duty, climate: Climate) -> NDArray[np.bool_]:
    """False during planned stops."""
    wanted = np.ones(len(times), np.bool_)
    if duty.stops:
        in_week = (climate.local(times) + _EPOCH_WEEKDAY * DAY) % _WEEK
        for stop in duty.stops:
            since = (in_week - int(stop.weekday * DAY + stop.hour * HOUR)) % _WEEK
            wanted &= since >= int(stop.hours * HOUR)
    return wanted
