"""`forewarn gateway`: one process, one event loop, one line."""

import asyncio
import contextlib
import errno
import importlib
import os
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from forewarn.app.gateway.reading import read_gateway_file
from forewarn.app.gateway.stores import OUTBOX
from forewarn.app.gateway.waiting import Waiting
from forewarn.app.gateway.wiring import Gateway, open_gateway
from forewarn.app.log import set_up_logging
from forewarn.domain.assets import Plant
from forewarn.domain.conditions import ConditionCode, remedy_for
from forewarn.domain.errors import ConfigurationError, ForewarnError, StorageFailed
from forewarn.domain.gateways import SiteState
from forewarn.gateway.conditions import Conditions
from forewarn.gateway.disk_budget import let_go_of_one_aside
from forewarn.gateway.disk_state import condition_of, disk_state
from forewarn.gateway.reserve import Reserve
from forewarn.kit.clock import SECOND, now_us
from forewarn.policies.gateway_settings import GatewaySettings

_log = structlog.get_logger(__name__)
_LEVELS: Final = ("debug", "info", "warning", "error")
_FORMATS: Final = ("console", "json")
_LEAST_FREE: Final = 64 << 20
_RING_S: Final = 2
_AGAIN_S: Final = 5.0
_FIRST_WAIT_S: Final = 0.1
_SITES_CLOCK_S: Final = 3.0
_LOOK_S: Final = 0.02


def run_gateway(file: Path) -> None:
    """Until SIGINT or SIGTERM; SIGHUP reads the file again."""
    settings, plant = read_gateway_file(file)
    set_up_logging(_log_settings())
    with contextlib.suppress(KeyboardInterrupt), opened(settings, plant) as gateway:
        _run(_serve(gateway, file))


@contextlib.contextmanager
def opened(settings: GatewaySettings, plant: Plant, again_s: float = _AGAIN_S) -> Iterator[Gateway]:
    """As `open_gateway`; a disk that is full or cannot be written is waited out and told meanwhile, and what was kept
    in reserve for that is let go of: to start needs room too. Raises ConfigurationError."""
    told, wait_s = "", min(_FIRST_WAIT_S, again_s)
    with contextlib.ExitStack() as closing:
        gateway: Gateway | None = None
        with Waiting(settings, plant) as waiting:
            while gateway is None:
                try:
                    gateway = closing.enter_context(open_gateway(settings, plant))
                except (StorageFailed, OSError) as error:
                    Reserve(settings.directory / OUTBOX).let_go()
                    code, text = _why(error, settings.directory), f"the gateway cannot start yet: {_said(error)}"
                    waiting.say(code, text)
                    if text != told:
                        told, remedy = text, remedy_for(code, text)
                        _log.error("cannot_start_yet", state=code.value, error=_said(error), remedy=remedy)
                    time.sleep(wait_s)
                    wait_s = min(2 * wait_s, again_s)
        yield gateway


def _said(error: StorageFailed | OSError) -> str:
    is_plain = isinstance(error, OSError) and error.strerror and error.filename
    return f"{error.filename}: {error.strerror}" if is_plain and isinstance(error, OSError) else str(error)


def _why(error: StorageFailed | OSError, directory: Path) -> ConditionCode:
    code = error.condition if isinstance(error, StorageFailed) else condition_of(error)
    return code if code is not ConditionCode.FAILED else disk_state(directory) or code


@dataclass(frozen=True, slots=True)
class _LogSettings:
    log_level: str
    log_format: str


def _log_settings() -> _LogSettings:
    """As a site reads them from its environment. Raises ConfigurationError."""
    level = os.environ.get("FOREWARN_LOG_LEVEL", "info").lower()
    form = os.environ.get("FOREWARN_LOG_FORMAT", "console").lower()
    for name, value, known in (("LEVEL", level, _LEVELS), ("FORMAT", form, _FORMATS)):
        if value not in known:
            raise ConfigurationError(f"FOREWARN_LOG_{name} is {value!r}; it may be {', '.join(known)}")
    return _LogSettings(level, form)


def _run(main: Coroutine[Any, Any, None]) -> None:
    """uvloop where it is installed: it is no need of a gateway, and a quarter less work."""
    try:
        runner: Any = importlib.import_module("uvloop").run
    except ImportError:
        runner = asyncio.run
    runner(main)


async def _serve(gateway: Gateway, file: Path) -> None:
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    reload = asyncio.Event()
    loop.add_signal_handler(signal.SIGHUP, reload.set)
    gateway.board.open()
    work = [asyncio.create_task(each, name=name) for name, each in _work(gateway, file, reload)]
    _log.info("gateway_ready", gateway=gateway.settings.name, signals=int(gateway.plant.table.known.sum()))
    ended = asyncio.create_task(stopping.wait())
    done, _ = await asyncio.wait([ended, *work], return_when=asyncio.FIRST_COMPLETED)
    for task in (*work, ended):
        task.cancel()
    await asyncio.gather(*work, ended, return_exceptions=True)
    for task in done:
        task.result()


def _work(gateway: Gateway, file: Path, reload: asyncio.Event) -> list[tuple[str, Coroutine[Any, Any, None]]]:
    work = [
        ("sources", _collect(gateway)),
        ("outputs", keep_up("outputs", gateway.outputs.run, gateway.conditions)),
        ("housekeeping", _keep_house(gateway)),
        ("reload", keep_up("reload", lambda: _reload(gateway, file, reload), gateway.conditions)),
    ]
    if gateway.uplink is not None:
        work.append(("uplink", keep_up("uplink", gateway.uplink.run, gateway.conditions)))
    if gateway.models.courier is not None:
        work.append(("models", keep_up("models", gateway.models.courier.run, gateway.conditions)))
    if gateway.standby is not None:
        work.append(("standby", keep_up("standby", gateway.standby.run, gateway.conditions)))
    return work


async def _collect(gateway: Gateway) -> None:
    """A machine that begins with a clock that is behind learns it from the site first: devices with the right time
    would be of its future. A site that does not answer is not waited for."""
    limit = time.monotonic() + _SITES_CLOCK_S
    while gateway.uplink is not None and time.monotonic() < limit:
        site = gateway.uplink.status()
        if site.clock_offset_s is not None or site.state is not SiteState.CONNECTING:
            break
        await asyncio.sleep(_LOOK_S)
    await gateway.runner.run()


async def keep_up(
    name: str, run: Callable[[], Awaitable[None]], conditions: Conditions, again_s: float = _AGAIN_S
) -> None:
    """Begin `run` again when a fault of ours ends it: whatever leads out may fail, collecting goes on."""
    while True:
        try:
            await run()
        except Exception as error:
            _log.exception("ended", work=name, again_in_s=again_s)
            conditions.enter(ConditionCode.FAILED, f"{name}: {type(error).__name__}: {error}; begun again")
            await asyncio.sleep(again_s)
        else:
            return


async def _reload(gateway: Gateway, file: Path, wanted: asyncio.Event) -> None:
    """Sources and signals that changed are taken over; what needs a new process is named."""
    while True:
        await wanted.wait()
        wanted.clear()
        try:
            settings, plant = read_gateway_file(file)
            await gateway.take(plant)
        except ForewarnError as error:
            _log.error("gateway_file_not_taken", error=str(error))
            text = f"the file was read again and not taken: {error}"
            gateway.conditions.enter(ConditionCode.MISCONFIGURED, text, lasting=True)
            if isinstance(error, StorageFailed):
                await asyncio.sleep(_AGAIN_S)
                wanted.set()
            continue
        gateway.conditions.end(ConditionCode.MISCONFIGURED)
        if settings != gateway.settings:
            _log.warning("restart_needed", remedy="the table gateway changed: restart the gateway")
        _log.info("gateway_file_taken", signals=int(gateway.plant.table.known.sum()))


async def _keep_house(gateway: Gateway) -> None:
    """Once a second: heartbeat file, clock, disk, the line; the ring now and then."""
    second, held = 0, 0
    while True:
        await asyncio.sleep(1)
        second += 1
        gateway.heartbeat.beat(now_us())
        if gateway.clock.held_us != held:
            held = gateway.clock.held_us
            _log.warning("clock_was_set", by_s=held / SECOND)
            if gateway.uplink is not None:
                gateway.uplink.clock_was_set()
        if held:
            way = "forward" if held > 0 else "back"
            text = (
                f"this machine's clock was set {way} by {abs(held) / SECOND:,.0f} s; readings go on in the old time "
                "until the site confirms the new one, or a quarter of an hour has passed"
            )
            gateway.conditions.enter(ConditionCode.CLOCK_WRONG, text)
        try:
            await asyncio.to_thread(_look_after_disk, gateway, second)
        except ForewarnError as error:
            code = getattr(error, "condition", ConditionCode.FAILED)
            gateway.conditions.enter(code, str(error))
        except Exception as error:
            _log.exception("housekeeping_failed")
            gateway.conditions.enter(ConditionCode.FAILED, f"housekeeping failed: {type(error).__name__}: {error}")


def _look_after_disk(gateway: Gateway, second: int) -> None:
    status = gateway.board.status()
    if status.buffer.free_disk_bytes < _LEAST_FREE:
        free = status.buffer.free_disk_bytes / (1 << 20)
        text = f"{free:.0f} MiB are free where {gateway.settings.directory} lies: make room, or set disk_budget_mib"
        gateway.conditions.enter(ConditionCode.DISK_FULL, text)
        if aside := let_go_of_one_aside(gateway.settings.directory):
            _log.warning("aside_deleted", file=aside, reason="the disk is full")
    health = gateway.line.health()
    if health.last_error:
        code = _condition_of(health.last_error)
        code = code if code is not ConditionCode.FAILED else disk_state(gateway.settings.directory) or code
        gateway.conditions.enter(code, f"the line waits: {health.last_error}")
    if second % _RING_S == 0:
        gateway.keep_ring()


def _condition_of(error: str) -> ConditionCode:
    """By the words of SQLite and of the operating system: a line's health tells of its errors in words."""
    words = {
        "damaged": ConditionCode.BUFFER_DAMAGED,
        "disk is full": ConditionCode.DISK_FULL,
        os.strerror(errno.ENOSPC): ConditionCode.DISK_FULL,
        os.strerror(errno.EDQUOT): ConditionCode.DISK_FULL,
        "readonly": ConditionCode.DISK_READ_ONLY,
        os.strerror(errno.EROFS): ConditionCode.DISK_READ_ONLY,
    }
    return next((code for word, code in words.items() if word in error), ConditionCode.FAILED)
