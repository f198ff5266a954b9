"""While a gateway's files cannot be opened: the site and the outputs that need no disk are told so."""

import asyncio
import contextlib
import shutil
import threading
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec
import numpy as np
import structlog

from forewarn import __version__
from forewarn.app.gateway.reaching_out import planned_output, site_link
from forewarn.contracts.alarm_store import Alarm
from forewarn.contracts.status_board import Happening
from forewarn.domain.assets import Asset, Plant, Signal
from forewarn.domain.conditions import ConditionCode, GatewayCondition
from forewarn.domain.errors import ForewarnError
from forewarn.domain.gateways import BufferStatus, GatewayRole, GatewayStatus, LedgerSums, SiteState, UplinkStatus
from forewarn.domain.model_delivery import HeldModels
from forewarn.domain.series import Series
from forewarn.gateway.conditions import Conditions
from forewarn.gateway.local.key_file import KeyFile
from forewarn.gateway.outputs import OutputRunner, PlannedOutput
from forewarn.gateway.status import resident_bytes
from forewarn.gateway.uplink.link import SiteRefuses
from forewarn.kit.clock import now_us
from forewarn.policies.gateway_settings import GatewaySettings

_log = structlog.get_logger(__name__)
_AGAIN_S: Final = 5.0
_CLOSING_S: Final = 10.0


class Waiting:
    """A thread with an event loop of its own from the first `say` to the end of the `with` block; all ports are free
    again after it. No fault in it reaches whoever waits."""

    def __init__(self, settings: GatewaySettings, plant: Plant) -> None:
        self._settings = settings
        self._conditions = Conditions("", now_us)
        self._site = _Site(settings)
        self._outputs: OutputRunner | None = None
        self._board = _Board(plant, self._status)
        self._started_at = now_us()
        # The site takes whatever a heartbeat does not call silent for alive.
        self._silent = tuple({**dict.fromkeys(s.id for s in plant.signals), **_former(settings.directory)})
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[None] | None = None
        self._closed = threading.Event()

    def __enter__(self) -> Self:
        return self

    def say(self, code: ConditionCode, text: str) -> None:
        """Why it waits, until something else is said."""
        self._conditions.enter(code, text, lasting=True)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="waiting", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:
                self._thread = None  # no room for it now, perhaps at the next try

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._closed.set()
        with contextlib.suppress(RuntimeError):  # it has ended by itself
            if self._loop is not None and self._main is not None:
                self._loop.call_soon_threadsafe(self._main.cancel)
        if self._thread is not None:
            self._thread.join(_CLOSING_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except asyncio.CancelledError:
            pass
        except Exception:
            _log.exception("waiting_not_told")

    async def _serve(self) -> None:
        self._main, self._loop = asyncio.current_task(), asyncio.get_running_loop()
        if self._closed.is_set():
            return
        self._outputs = OutputRunner(self._settings.name, list(self._planned()), self._board)
        async with asyncio.TaskGroup() as work:
            work.create_task(_kept_up(self._outputs.run))
            work.create_task(_kept_up(lambda: self._site.tell(self._status)))

    def _planned(self) -> Sequence[PlannedOutput]:
        found = []
        for one in self._settings.outputs:
            with contextlib.suppress(ForewarnError):  # it will be told when the gateway starts
                planned = planned_output(one)
                if getattr(planned.output, "needs_no_disk", False):
                    found.append(planned)
        return found

    def _status(self) -> GatewayStatus:
        settings = self._settings
        outputs: Sequence[GatewayCondition] = () if self._outputs is None else self._outputs.conditions()
        return GatewayStatus(
            name=settings.name,
            version=__version__,
            at=now_us(),
            started_at=self._started_at,
            role=GatewayRole.ALONE if settings.standby is None else GatewayRole.STANDBY,
            uplink=self._site.status(),
            buffer=BufferStatus(settings.disk_budget_mib << 20, 0, 0, _free(settings.directory)),
            ledger=LedgerSums(),
            conditions=(*self._conditions.now(), *outputs),
            silent=self._silent,
            signals=len(self._board.signals()),
            resident_bytes=resident_bytes(),
            waits_for_disk=True,
        )


class _Site:
    """Heartbeats, and nothing else."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._state = SiteState.NONE if settings.uplink is None else SiteState.CONNECTING
        self._since, self._error = now_us(), ""

    def status(self) -> UplinkStatus:
        uplink = self._settings.uplink
        return UplinkStatus(self._state, self._since, "" if uplink is None else uplink.url, last_error=self._error)

    async def tell(self, status: Callable[[], GatewayStatus]) -> None:
        uplink, link = self._settings.uplink, site_link(self._settings)
        if uplink is None or link is None:
            return
        try:
            while True:
                try:
                    await link.open()  # the key may be mended meanwhile
                    await link.heartbeat(msgspec.json.encode({"status": status(), "done": []}))
                except ForewarnError as error:
                    self._enter(SiteState.REFUSED if isinstance(error, SiteRefuses) else SiteState.AWAY, str(error))
                else:
                    self._enter(SiteState.CONNECTED, "")
                await asyncio.sleep(uplink.heartbeat_s)
        finally:
            await link.close()

    def _enter(self, state: SiteState, error: str) -> None:
        if state is not self._state:
            self._since = now_us()
        self._state, self._error = state, error


class _Board:
    """StatusBoard of a gateway that has its settings and its plant, and nothing that was measured."""

    def __init__(self, plant: Plant, status: Callable[[], GatewayStatus]) -> None:
        self._plant = plant
        self.status, self.models = status, HeldModels
        self.site_away = True

    async def changed(self, after: int, timeout_s: float) -> int:
        await asyncio.sleep(timeout_s)
        return after

    def happenings(self, after: int) -> Sequence[Happening]:
        return ()

    def alarms(self) -> Sequence[Alarm]:
        return ()

    def assets(self) -> Sequence[Asset]:
        return self._plant.assets

    def signals(self) -> Sequence[Signal]:
        return self._plant.signals

    def latest(self) -> Series:
        return Series(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint32))


async def _kept_up(run: Callable[[], Coroutine[Any, Any, None]]) -> None:
    while True:
        try:
            return await run()
        except Exception:
            _log.exception("waiting_not_told", again_in_s=_AGAIN_S)
            await asyncio.sleep(_AGAIN_S)


def _former(directory: Path) -> dict[str, None]:
    """Signals that this gateway ever had, as far as that can be read."""
    with contextlib.suppress(ForewarnError, OSError):
        return dict.fromkeys(KeyFile(directory).read(mend=False).keys.values())
    return {}


def _free(directory: Path) -> int:
    for folder in (directory, *directory.absolute().parents):
        with contextlib.suppress(OSError):
            return shutil.disk_usage(folder).free
    return 0
