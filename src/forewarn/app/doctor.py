"""`forewarn doctor`: what would keep this machine from running a site, and what to do about it."""

import ctypes
import os
import shutil
import socket
import sqlite3
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit

from forewarn.app.plugins import available, load
from forewarn.app.settings import Settings
from forewarn.domain.assets import SourceConfig
from forewarn.domain.errors import ConfigurationError

GIB = 1 << 30
LIBRARIES = ("numpy", "pyarrow", "msgspec", "fastapi", "uvicorn", "sqlalchemy", "asyncua", "pymodbus")
TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report. `remedy` is empty when `ok`; a warning does not fail the command."""

    name: str
    ok: bool
    found: str
    remedy: str = ""
    warning: bool = False


def examine(settings: Settings) -> Iterator[Check]:
    """Run every check, cheapest first; nothing is changed on disk beyond a probe file that is removed."""
    yield _python()
    yield from _libraries()
    yield _directory(settings)
    yield _disk_space(settings)
    yield _fsync(settings)
    yield _port(settings)
    yield _clock()
    yield from _plugins()
    yield from _catalog(settings)


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    return Check("python", sys.version_info >= (3, 11), found, "install Python 3.11 or newer")


def _libraries() -> Iterator[Check]:
    for name in LIBRARIES:
        try:
            yield Check(f"library {name}", True, version(name))
        except PackageNotFoundError:
            yield Check(f"library {name}", False, "missing", "pip install 'forewarn[platform]'")


def _directory(settings: Settings) -> Check:
    try:
        return Check("data directory", True, str(settings.make_directory()))
    except ConfigurationError as error:
        return Check("data directory", False, str(settings.directory), str(error))


def _disk_space(settings: Settings) -> Check:
    if not settings.directory.exists():
        return Check("disk space", False, "unknown", "make the data directory first")
    free = shutil.disk_usage(settings.directory).free
    need = settings.log_capacity_mib * (1 << 20)
    remedy = f"free some space, or lower FOREWARN_LOG_CAPACITY_MIB (now {settings.log_capacity_mib})"
    return Check("disk space", free > need, f"{free / GIB:.1f} GiB free, the log may take {need / GIB:.1f}", remedy)


def _fsync(settings: Settings) -> Check:
    probe = settings.directory / ".fsync-probe"
    try:
        with probe.open("wb") as file:
            began = time.perf_counter()
            for _ in range(20):
                file.write(b"x" * 4096)
                file.flush()
                os.fdatasync(file.fileno())
            each_ms = (time.perf_counter() - began) / 20 * 1e3
        probe.unlink()
    except OSError as error:
        return Check("disk sync", False, str(error), "the data directory must be writable")
    remedy = "every acknowledgement waits for this; put the data directory on a faster or less busy disk"
    return Check("disk sync", each_ms < 20, f"{each_ms:.2f} ms a sync", remedy, warning=True)


def _port(settings: Settings) -> Check:
    name = f"port {settings.port}"
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            remedy = "something listens there already (Forewarn itself?); choose another with --port or FOREWARN_PORT"
            return Check(name, False, f"{settings.host}: {error.strerror}", remedy, warning=True)
    return Check(name, True, f"free on {settings.host}")


def _clock() -> Check:
    remedy = "switch on NTP (timedatectl set-ntp true): late and future readings are judged by this clock"
    if time.time() < 1_735_689_600:
        return Check("clock", False, time.strftime("%Y-%m-%d", time.gmtime()), remedy)
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(512))
    except (OSError, AttributeError):
        return Check("clock", True, "cannot ask whether it is synchronised", "", warning=True)
    synchronised = state not in (TIME_ERROR, -1)
    return Check("clock", synchronised, "synchronised" if synchronised else "not synchronised", remedy, warning=True)


def _plugins() -> Iterator[Check]:
    for group in ("batch_logs", "historians", "connectors", "detectors"):
        for name in sorted(available(group)):
            try:
                load(group, name)
            except ConfigurationError as error:
                yield Check(f"{group} {name}", False, "cannot be loaded", str(error), warning=group == "connectors")
                continue
            yield Check(f"{group} {name}", True, "loads")


def _catalog(settings: Settings) -> Iterator[Check]:
    from forewarn.catalog import open_catalog

    try:
        with open_catalog(settings.catalog_url) as catalog:
            sources = catalog.plant.sources()
            found = f"revision {catalog.plant.revision()}, {len(catalog.plant.assets())} assets, {len(sources)} sources"
            yield Check("catalog", True, found)
            for source in sources:
                yield _source(source)
    except (ConfigurationError, sqlite3.Error, OSError) as error:
        yield Check("catalog", False, "cannot be opened", str(error))


def _source(source: SourceConfig) -> Check:
    """Whether something listens at the source's address; what it says is the connector's business."""
    host, port = _address(source)
    if host is None or port is None:
        return Check(f"source {source.name}", True, f"{source.connector}: no network address to try")
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError as error:
        remedy = f"is the device at {host}:{port} up, and does a firewall let this machine through?"
        return Check(f"source {source.name}", False, f"{host}:{port}: {error}", remedy, warning=True)
    return Check(f"source {source.name}", True, f"{host}:{port} answers")


def _address(source: SourceConfig) -> tuple[str | None, int | None]:
    url = source.settings.get("url")
    if isinstance(url, str):
        parts = urlsplit(url)
        return parts.hostname, parts.port
    host, port = source.settings.get("host"), source.settings.get("port")
    return (host if isinstance(host, str) else None), (port if isinstance(port, int) else None)
