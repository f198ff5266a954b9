"""What is so right now at a gateway: filled by the line's last stage, read by outputs and the uplink."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from forewarn.contracts.alarm_store import Alarm, AlarmStore
from forewarn.contracts.plant_view import PlantView
from forewarn.contracts.stage import Carriage
from forewarn.contracts.status_board import Happening
from forewarn.domain.assets import Asset, Signal
from forewarn.domain.gateways import GatewayStatus, SiteState
from forewarn.domain.model_delivery import HeldModels
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.series import Series
from forewarn.policies.row_order import last_of_each_signal

_KEPT: Final = 1_000
_STATUS_S: Final = 0.2
_NEVER: Final = np.iinfo(np.int64).min


class Board:
    """StatusBoard. `take` is called by the line's thread, all else by the event loop that `open` was called in. Who
    wires it sets `models`."""

    def __init__(
        self,
        plant: PlantView,
        alarms: AlarmStore,
        status: Callable[[], GatewayStatus],
        site: Callable[[], SiteState] = lambda: SiteState.NONE,
    ) -> None:
        """status: costs about a millisecond with a thousand signals, so it is asked five times a second at the most,
        and when something happened. site: how the uplink stands."""
        self._site = site
        self.models: Callable[[], HeldModels] = HeldModels
        self._told: tuple[float, int, GatewayStatus] | None = None
        self._plant = plant
        self._alarms = alarms
        self._status = status
        self._lock = threading.Lock()
        self._kept: deque[Happening] = deque(maxlen=_KEPT)
        self._number = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = asyncio.Event()
        size = plant.table.size
        self._time = np.full(size, _NEVER, np.int64)
        self._value = np.full(size, np.nan)
        self._quality = np.zeros(size, np.uint32)

    def open(self) -> None:
        """Wake those who wait in the running event loop from now on."""
        self._loop = asyncio.get_running_loop()

    @property
    def site_away(self) -> bool:
        return self._site() not in (SiteState.CONNECTED, SiteState.CATCHING_UP)

    async def changed(self, after: int, timeout_s: float) -> int:
        try:
            async with asyncio.timeout(timeout_s):
                while self._number <= after:
                    await self._news.wait()
        except TimeoutError:
            pass
        return self._number

    def happenings(self, after: int) -> Sequence[Happening]:
        with self._lock:
            return [happening for happening in self._kept if happening.number > after]

    def alarms(self) -> Sequence[Alarm]:
        return self._alarms.rules()

    def assets(self) -> Sequence[Asset]:
        return list(self._plant.assets.values())

    def signals(self) -> Sequence[Signal]:
        return [signal for signal in self._plant.table.signals if signal is not None]

    def latest(self) -> Series:
        with self._lock:
            keys = np.flatnonzero(self._time != _NEVER).astype(np.int32)
            return Series(keys, self._time[keys], self._value[keys], self._quality[keys])

    def status(self) -> GatewayStatus:
        told, number = self._told, self._number
        if told is None or told[1] != number or time.monotonic() - told[0] > _STATUS_S:
            told = self._told = (time.monotonic(), number, self._status())
        return told[2]

    def take(self, carriage: Carriage) -> None:
        """What a carriage brought: latest readings, findings, alarm events."""
        with self._lock:
            self._keep_latest(carriage.readings)
            before = self._number
            for finding in carriage.findings:
                self._number += 1
                self._kept.append(Happening(self._number, finding=finding))
            for event in carriage.alarm_events:
                self._number += 1
                self._kept.append(Happening(self._number, event=event))
        if self._number > before and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _keep_latest(self, readings: ReadingBatch) -> None:
        last = last_of_each_signal(readings.signal)
        signal = readings.signal[last]
        last = last[signal < len(self._time)]
        signal, time = readings.signal[last], readings.time[last]
        newer = time >= self._time[signal]
        signal, last = signal[newer], last[newer]
        self._time[signal] = readings.time[last]
        self._value[signal] = readings.value[last]
        self._quality[signal] = readings.quality[last]

    def _wake(self) -> None:
        # All who wait look again; a new event serves the next news.
        self._news.set()
        self._news = asyncio.Event()


class BoardStage:
    """The line's last stage at a gateway."""

    name = "board"

    def __init__(self, board: Board) -> None:
        self._board = board

    def handle(self, carriage: Carriage) -> Carriage:
        self._board.take(carriage)
        return carriage

    def tick(self, now_us: int) -> Carriage | None:
        """Nothing of this stage depends on the clock."""
        return None
