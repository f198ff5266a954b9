"""Each source of the plant: its settings, what they lean on, and whether somebody listens there."""

import os
import socket
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from forewarn.app.doctor.check import Check
from forewarn.app.plugins import connectors
from forewarn.contracts.connector import Connector
from forewarn.domain.assets import Signal, SourceConfig

_TIMEOUT_S = 3.0
_AT_ONCE = 16


def sources(configured: Sequence[SourceConfig], signals: Sequence[Signal]) -> Iterator[Check]:
    """In the plant file's order; all are asked at the same time."""
    known, named = connectors(), Counter(signal.source for signal in signals)
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        yield from threads.map(lambda source: _source(source, known, named[source.name]), configured)


def _source(source: SourceConfig, known: Mapping[str, Connector], signals: int) -> Check:
    name = f"source {source.name}"
    if source.connector not in known:
        found = f"there is no connector {source.connector!r}; there are: {', '.join(sorted(known)) or 'none'}"
        return Check(name, False, found, "pip install 'forewarn[gateway]', or mend the plant file")
    try:
        settings = known[source.connector].settings.model_validate(dict(source.settings))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        return Check(name, False, faults, "mend its settings in the plant file and apply it again")
    if (lacking := _lacking(settings)) is not None:
        return Check(name, False, lacking, "the process that runs the site needs it", warning=True)
    if not signals:
        remedy = "no signal names it, so nothing is collected: set `source` in the plant file"
        return Check(name, False, f"{source.connector}: 0 signals", remedy, warning=True)
    return _reached(name, settings, f"{source.connector}, {signals} signals")


def _lacking(settings: BaseModel) -> str | None:
    """A file or an environment variable that the settings name and that is not there."""
    for key, value in settings:
        if isinstance(value, Path) and not value.is_file():
            return f"{key}: there is no file {value}"
        if key.endswith("_env") and isinstance(value, str) and value not in os.environ:
            return f"{key}: the environment variable {value} is not set"
    return None


def _reached(name: str, settings: BaseModel, what: str) -> Check:
    """Whether something listens at the source's address; what it says is the connector's business."""
    try:
        address = _address(settings)
        if address is None:
            return Check(name, True, f"{what}: no network address to try")
        socket.create_connection(address, timeout=_TIMEOUT_S).close()
    except (OSError, ValueError) as error:
        remedy = "is the device up, is the address right, and does a firewall let this machine through?"
        where = getattr(settings, "url", None) or f"{getattr(settings, 'host', '?')}:{getattr(settings, 'port', '?')}"
        return Check(name, False, f"{where}: {error}", remedy, warning=True)
    return Check(name, True, f"{what}; {address[0]}:{address[1]} answers")


def _address(settings: BaseModel) -> tuple[str, int] | None:
    """By the names that connectors give their settings: `url`, or `host` and `port`. Raises ValueError."""
    url, host, port = (getattr(settings, key, None) for key in ("url", "host", "port"))
    if isinstance(url, str):
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    return (host, port) if isinstance(host, str) and isinstance(port, int) else None
