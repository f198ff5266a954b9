"""The machine: Python and libraries, disk, port, clock."""

import ctypes
import http.client
import os
import re
import shutil
import ssl
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Final

import orjson

from forewarn.app.doctor.check import Check
from forewarn.app.heartbeat import Heartbeat
from forewarn.app.listening import listen
from forewarn.app.plugins import available, load
from forewarn.app.settings import MIB, Settings
from forewarn.domain.errors import ConfigurationError
from forewarn.kit.clock import MINUTE, now_us, to_rfc3339

GIB: Final = 1 << 30
_LEAST_FREE: Final = 256 * MIB
_TIME_ERROR: Final = 5  # adjtimex(2): the clock is not synchronised
_EXTRAS: Final = ("gateway", "platform")
_REQUIREMENT: Final = re.compile(r"^([\w.-]+)(?:\[[^]]*\])?>=([\d.]+)(?:; extra == '(\w+)')?$")
_INSTALL: Final = "pip install --upgrade 'forewarn[platform]'"
_GROUPS: Final = ("batch_logs", "historians", "connectors", "detectors")


def software() -> Iterator[Check]:
    """Python, libraries in the versions we ask for, plugins, the web page."""
    found = ".".join(map(str, sys.version_info[:3]))
    yield Check("python", sys.version_info >= (3, 11), found, "install Python 3.11 or newer")
    faults = [fault for name, least in sorted(_required().items()) if (fault := _library_fault(name, least))]
    yield Check("libraries", not faults, "; ".join(faults) or f"{len(_required())} in place", _INSTALL)
    for group in _GROUPS:
        yield from _plugins(group)
    page = Path(__file__).parents[2] / "static" / "index.html"
    remedy = "the API works without; in a checkout `make demo` builds it, packages from pip hold it"
    yield Check("web page", page.is_file(), "built" if page.is_file() else "not built", remedy, warning=True)


def _required() -> dict[str, str]:
    """Library -> least version, of a site; what a developer needs is left out."""
    parts = [found for line in requires("forewarn") or () if (found := _REQUIREMENT.match(line))]
    return {found[1]: found[2] for found in parts if found[3] is None or found[3] in _EXTRAS}


def _library_fault(name: str, least: str) -> str | None:
    try:
        found = version(name)
    except PackageNotFoundError:
        return f"{name} is missing"
    return f"{name} {found} is older than {least}" if _numbers(found) < _numbers(least) else None


def _numbers(text: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", text)[:3]]


def _plugins(group: str) -> Iterator[Check]:
    broken = []
    for name in sorted(available(group)):
        try:
            load(group, name)
        except ConfigurationError as error:
            broken.append(str(error))
    names = ", ".join(sorted(available(group))) or "none installed"
    yield Check(
        group.replace("_", " "),
        bool(available(group)) and not broken,
        names if not broken else "; ".join(broken),
        f"install what is missing: {_INSTALL}",
        warning=group == "connectors" and bool(available(group)),
    )


def disk(settings: Settings) -> Iterator[Check]:
    """Where data lies, or will lie; a directory that is not there yet is not made."""
    directory = settings.directory
    there = _nearest(directory)
    choose = "choose another with --directory or FOREWARN_DIRECTORY"
    if not there.is_dir():
        yield Check("data directory", False, f"{directory}: {there} is no directory", choose)
        return
    if not os.access(there, os.W_OK | os.X_OK):
        yield Check("data directory", False, f"{directory}: this user may not write in {there}", choose)
        return
    yield Check("data directory", True, f"{directory}{'' if there == directory else ' (the first start makes it)'}")
    yield _space(there, settings)
    yield _sync(there)


def _nearest(directory: Path) -> Path:
    """The directory, or what is there of the way to it."""
    return next(place for place in (directory, *directory.absolute().parents) if place.exists() or place.is_symlink())


def _space(there: Path, settings: Settings) -> Check:
    free = shutil.disk_usage(there).free
    spool = settings.directory / "log" / "spool.db"
    used = spool.stat().st_size if spool.is_file() else 0
    need = max(settings.log_capacity_mib * MIB - used, 0) + _LEAST_FREE
    found = f"{free / GIB:.1f} GiB free; the batch log may still take {(need - _LEAST_FREE) / GIB:.1f} GiB"
    remedy = f"free some space, or lower FOREWARN_LOG_CAPACITY_MIB (now {settings.log_capacity_mib})"
    return Check("disk space", free > need, found, remedy, warning=free > _LEAST_FREE)


def _sync(there: Path) -> Check:
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            began = time.perf_counter()
            for _ in range(20):
                file.write(b"x" * 4096)
                file.flush()
                os.fdatasync(file.fileno())
            each_ms = (time.perf_counter() - began) / 20 * 1e3
    except OSError as error:
        return Check("disk sync", False, str(error), "the data directory's file system must take writes and syncs")
    remedy = "every acknowledgement waits for this; put the data directory on a faster or less busy disk"
    return Check("disk sync", each_ms < 20, f"{each_ms:.2f} ms a sync", remedy, warning=True)


def port(settings: Settings) -> Check:
    name = f"port {settings.port}" if settings.port else "port"
    try:
        listen(settings).close()
    except ConfigurationError as error:
        state = _site_state(settings)
        if state is not None:
            return Check(name, state == "ready", f"a Forewarn site answers there: {state}", "see its /readyz", True)
        what, _, remedy = str(error).partition("; ")
        return Check(name, False, what, remedy)
    return Check(name, True, f"free on {settings.host}" if settings.port else "any free one is taken")


def _site_state(settings: Settings) -> str | None:
    """`ready`, or which checks fail, of the site that holds the port; None when it is something else."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    if settings.tls_certificate is None:
        connection = http.client.HTTPConnection(host, settings.port, timeout=2)
    else:
        # Whether the certificate is in order is another check's question.
        anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(host, settings.port, timeout=2, context=anybody)
    try:
        connection.request("GET", "/readyz")
        answer = orjson.loads(connection.getresponse().read())
        failing = [f"{one['name']}: {one['detail']}" for one in answer["checks"] if not one["ok"]]
        return "; ".join(failing) or str(answer["status"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        connection.close()


def clock(settings: Settings | None) -> Check:
    """settings: where a site kept its last sign of life, which cannot lie ahead."""
    now = now_us()
    remedy = "switch on NTP (timedatectl set-ntp true): late and future readings are judged by this clock"
    last = Heartbeat(settings.directory).last() if settings is not None else None
    if last is not None and last > now + MINUTE:
        found = f"it is {to_rfc3339(now)}, but this site was alive at {to_rfc3339(last)}"
        return Check("clock", False, found, f"set the clock; {remedy}")
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(512))
    except (OSError, AttributeError):
        return Check("clock", True, "cannot ask whether it is synchronised")
    synchronised = state not in (_TIME_ERROR, -1)
    return Check("clock", synchronised, "synchronised" if synchronised else "not synchronised", remedy, warning=True)
