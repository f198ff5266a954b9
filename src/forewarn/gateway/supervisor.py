"""One source kept alive: run its connector, mark the gap when it is lost, wait, run it again."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Mapping, Sequence

from pydantic import BaseModel, ValidationError

from forewarn.contracts.connector import Connector, SourceRequest
from forewarn.domain.assets import Signal, SourceConfig
from forewarn.domain.conditions import ConditionCode
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
) -> None:
    """Until cancelled, or until the configuration proves wrong: that is retried only when it changes."""
    try:
        connector, request = prepare(config, signals, connectors)
        attempt, last_why = 0, ""
        while True:
            started = asyncio.get_running_loop().time()
            why, condition = await _run_once(connector, request, sink)
            was_connected = sink.is_connected
            health.lost(why, condition)
            if was_connected or why != last_why:  # a source that stays away is one line in the log
                _log.warning("source %s %s: %s", config.name, "lost" if was_connected else "unreachable", why)
                last_why = why
            if was_connected:
                await mark(config.name, sink.mark_gap())
                # A link that stood for a while is tried again at once; one that flaps is not hammered.
                stood_s = asyncio.get_running_loop().time() - started
                attempt = 0 if stood_s > backoff.cap_s else attempt
            await asyncio.sleep(backoff.delay_s(attempt, random.random()))  # noqa: S311 - jitter, not a secret
            attempt += 1
    except ConfigurationError as error:
        _log.error("source %s is misconfigured: %s", config.name, error)
        health.misconfigured(str(error), error.condition)
        if sink.is_connected:
            await mark(config.name, sink.mark_gap())
    except asyncio.CancelledError:
        health.enter(SourceState.STOPPED)
        raise


async def mark(name: str, marking: Awaitable[None]) -> None:
    """A gap that cannot be marked must not end the supervisor."""
    try:
        await marking
    except Exception:
        _log.exception("source %s: the gap could not be marked", name)


async def _run_once(connector: Connector, request: SourceRequest, sink: DoorSink) -> tuple[str, ConditionCode]:
    """Why it ended. Only ConfigurationError and cancellation pass: no fault of one source may end its supervisor."""
    try:
        await connector.run(request, sink)
    except SourceUnreachable as error:
        return str(error), error.condition
    except ConfigurationError:
        raise
    except Exception as error:
        _log.exception("source %s: connector %s failed", request.name, connector.name)
        return f"connector {connector.name} failed: {type(error).__name__}: {error}", ConditionCode.FAILED
    return "the connector ended without an error", ConditionCode.FAILED
