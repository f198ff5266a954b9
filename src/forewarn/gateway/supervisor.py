"""One source kept alive: run its connector, mark the gap when it is lost, wait, run it again."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Mapping, Sequence

from pydantic import BaseModel, ValidationError

from forewarn.contracts.connector import Connector, SourceRequest
from forewarn.domain.assets import Signal, SourceConfig
from forewarn.domain.conditions import ConditionCode, with_remedy
from forewarn.domain.errors import ConfigurationError, SourceUnreachable
from forewarn.domain.sources import SourceState
from forewarn.gateway.health import SourceHealth
from forewarn.gateway.sink import DoorSink
from forewarn.kit.retry import Backoff

_log = logging.getLogger(__name__)


def _parse(config: SourceConfig, connector: Connector) -> BaseModel:
    try:
        return connector.settings.model_validate(dict(config.settings))
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc']) or 'settings'}: {fault['msg']}" for fault in error.errors()
        )
        raise ConfigurationError(
            f"source {config.name!r}, settings of connector {config.connector!r}: {faults}"
        ) from None


def prepare(
    config: SourceConfig, signals: Sequence[Signal], connectors: Mapping[str, Connector]
) -> tuple[Connector, SourceRequest]:
    """What running `config` takes. Raises ConfigurationError."""
    connector = connectors.get(config.connector)
    if connector is None:
        known = ", ".join(sorted(connectors)) or "none"
        raise ConfigurationError(
            f"source {config.name!r}: no connector {config.connector!r} is installed; there are: {known}"
        )
    return connector, SourceRequest(config.name, _parse(config, connector), signals)


async def supervise(
    config: SourceConfig,
    signals: Sequence[Signal],
    connectors: Mapping[str, Connector],
    sink: DoorSink,
    health: SourceHealth,
    backoff: Backoff,
    misconfigured_again_s: float,
) -> None:
    """Until cancelled, or until settings do not parse: that is tried again only when they change. What a connector
    calls misconfigured may be a file beside ours, such as a certificate while it is renewed: that is tried again, but
    seldom."""
    try:
        connector, request = prepare(config, signals, connectors)
        attempt, last_why = 0, ""
        while True:
            started = asyncio.get_running_loop().time()
            why, condition, misconfigured = await _run_once(connector, request, sink)
            was_connected = sink.is_connected
            sink.lost()
            (health.misconfigured if misconfigured else health.lost)(why, condition)
            if was_connected or why != last_why:  # a source that stays away is one line in the log
                what = "misconfigured" if misconfigured else "lost" if was_connected else "unreachable"
                level = logging.ERROR if misconfigured else logging.WARNING
                _log.log(level, "source %s %s: %s", config.name, what, with_remedy(condition, why))
                last_why = why
            if was_connected:
                await mark(config.name, sink.mark_gap())
                # A link that stood for a while is tried again at once; one that flaps is not hammered.
                stood_s = asyncio.get_running_loop().time() - started
                attempt = 0 if stood_s > backoff.cap_s else attempt
            delay_s = backoff.delay_s(attempt, random.random())  # noqa: S311 - jitter, not a secret
            await asyncio.sleep(misconfigured_again_s if misconfigured else delay_s)
            attempt += 1
    except ConfigurationError as error:
        _log.error("source %s is misconfigured: %s", config.name, with_remedy(error.condition, str(error)))
        health.misconfigured(str(error), error.condition)
    except asyncio.CancelledError:
        health.enter(SourceState.STOPPED)
        raise


async def mark(name: str, marking: Awaitable[None]) -> None:
    """A gap that cannot be marked must not end the supervisor."""
    try:
        await marking
    except Exception:
        _log.exception("source %s: the gap could not be marked", name)


async def _run_once(connector: Connector, request: SourceRequest, sink: DoorSink) -> tuple[str, ConditionCode, bool]:
    """Why it ended, and whether it is misconfigured. Only cancellation passes: no fault of one source may end its
    supervisor."""
    try:
        await connector.run(request, sink)
    except SourceUnreachable as error:
        return str(error), error.condition, False
    except ConfigurationError as error:
        return str(error), error.condition, True
    except Exception as error:
        _log.exception("source %s: connector %s failed", request.name, connector.name)
        return f"connector {connector.name} failed: {type(error).__name__}: {error}", ConditionCode.FAILED, False
    return "the connector ended without an error", ConditionCode.FAILED, False
