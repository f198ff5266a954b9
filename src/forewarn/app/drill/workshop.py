"""Where a drill happens: the gateway's file with a cable in every connection, and the processes."""

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import msgspec
import tomli_w

from forewarn.app.gateway.drill_clock import VARIABLE
from forewarn.app.gateway.reading import read_gateway_file
from forewarn.domain.errors import ConfigurationError, ForewarnError
from forewarn.domain.gateways import GatewayStatus
from forewarn.gateway.drill.cable import Cable

_HERE: Final = "127.0.0.1"
_START_S: Final = 60.0
_STOP_S: Final = 30.0
_SMALL: Final = 4_096
_status: Final = msgspec.json.Decoder(GatewayStatus)


@dataclass(slots=True)
class Child:
    """A process of the drill. We write its output to a file ourselves: its own files may be kept from growing."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    process: "subprocess.Popen[bytes] | None" = None
    pump: "asyncio.Task[None] | None" = None

    async def start(self) -> None:
        self.process = subprocess.Popen(  # noqa: ASYNC220 - a child for minutes, not for a moment
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **self.environment},
            start_new_session=True,
        )
        self.pump = asyncio.create_task(asyncio.to_thread(self._write_log, self.process))

    def _write_log(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None
        with self.log.open("ab") as log, process.stdout as out:
            for line in out:
                log.write(line)
                log.flush()

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    async def kill(self) -> None:
        """kill -9."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            await asyncio.to_thread(self.process.wait, _STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            await asyncio.to_thread(self.process.wait)
        if self.pump is not None:
            await self.pump

    def limit_files(self, *, small: bool) -> None:
        """No file may grow beyond a few kilobytes (as on a full disk), or as it was."""
        assert self.process is not None
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (_SMALL if small else hard, hard))

    def tail(self) -> str:
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-12:])
        return ""


@dataclass(slots=True)
class Workshop:
    """cables: by source name; the site's is `site`."""

    directory: Path
    gateway_name: str
    site: Child
    gateway: Child
    site_port: int
    page_port: int
    cables: dict[str, Cable]
    connectors: dict[str, str]
    clock_file: Path
    session: aiohttp.ClientSession = field(repr=False)

    async def look(self) -> GatewayStatus | None:
        """None where it does not answer."""
        try:
            async with self.session.get(f"http://{_HERE}:{self.page_port}/status.json") as answer:
                return _status.decode(await answer.read()) if answer.status == 200 else None
        except (aiohttp.ClientError, OSError, TimeoutError, msgspec.MsgspecError):
            return None

    async def site_answers(self) -> bool:
        try:
            async with self.session.get(f"http://{_HERE}:{self.site_port}/healthz") as answer:
                return answer.status == 200
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False

    async def start_site(self) -> None:
        await self.site.start()
        await _until(self.site, self.site_answers)

    async def start_gateway(self) -> None:
        await self.gateway.start()

        async def answers() -> bool:
            return await self.look() is not None

        await _until(self.gateway, answers)

    def set_clock(self, ahead_us: int) -> None:
        """Of the gateway's process, against the machine's."""
        new = self.clock_file.with_suffix(".new")
        new.write_text(str(ahead_us))
        new.replace(self.clock_file)


async def _until(child: Child, holds: Any) -> None:
    loop = asyncio.get_running_loop()
    limit = loop.time() + _START_S
    while not await holds():
        if not child.running or loop.time() > limit:
            raise ForewarnError(f"the drill's {child.name} did not start; the end of its log:\n{child.tail()}")
        await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def open_workshop(file: Path, directory: Path, free_ports: Sequence[int]) -> AsyncIterator[Workshop]:
    """A site that knows the plant, a gateway whose connections all go through cables, both running.

    directory: empty; all data lies there. free_ports: two. Raises ConfigurationError, ForewarnError."""
    settings, plant = read_gateway_file(file)
    if not plant.sources:
        raise ConfigurationError("has no source: a drill needs one to pull the cable of", where=str(file))
    content = await asyncio.to_thread(lambda: tomllib.loads(file.read_text(encoding="utf-8")))
    site_port, page_port = free_ports
    async with contextlib.AsyncExitStack() as open_now:
        cables = {"site": await open_now.enter_async_context(Cable(_HERE, site_port))}
        for source in content["source"]:
            where = _endpoint(source)
            if where is not None:
                cable = await open_now.enter_async_context(Cable(*where))
                source["settings"] = _through(source.get("settings", {}), cable.port)
                cables[source["name"]] = cable
        mine = directory / "gateway.toml"
        own = tomli_w.dumps(_own(content, directory, cables["site"].port, page_port))
        await asyncio.to_thread(mine.write_text, own, encoding="utf-8")
        key = await asyncio.to_thread(_prepare_site, directory, mine, settings.name)
        await asyncio.to_thread((directory / "gateway.key").write_text, key)
        session = await open_now.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)))
        workshop = Workshop(
            directory,
            settings.name,
            Child(
                "site", _forewarn("serve", "--port", str(site_port)), _site_variables(directory), directory / "site.log"
            ),
            Child(
                "gateway",
                _forewarn("gateway", "--config", str(mine)),
                {VARIABLE: str(directory / "clock")},
                directory / "gateway.log",
            ),
            site_port,
            page_port,
            cables,
            {source.name: source.connector for source in plant.sources},
            directory / "clock",
            session,
        )
        try:
            await workshop.start_site()
            await workshop.start_gateway()
            yield workshop
        finally:
            await workshop.gateway.stop()
            await workshop.site.stop()


def _endpoint(source: Mapping[str, Any]) -> tuple[str, int] | None:
    """Where a source's settings lead, if that is one TCP connection."""
    settings = source.get("settings", {})
    if isinstance(url := settings.get("url"), str):
        parts = urlsplit(url)
        return (parts.hostname, parts.port or 4840) if parts.hostname else None
    default = {"modbus": 502, "mqtt": 1883, "sparkplug": 1883}.get(source["connector"])
    if isinstance(host := settings.get("host"), str) and default is not None:
        return host, int(settings.get("port", default))
    return None


def _through(settings: Mapping[str, Any], port: int) -> dict[str, Any]:
    if isinstance(url := settings.get("url"), str):
        return {**settings, "url": urlunsplit(urlsplit(url)._replace(netloc=f"{_HERE}:{port}"))}
    return {**settings, "host": _HERE, "port": port}


def _own(content: dict[str, Any], directory: Path, site_port: int, page_port: int) -> dict[str, Any]:
    """Everything that is read is sent as it is, so that both sides can be compared reading by reading."""
    gateway = {
        "name": content["gateway"]["name"],
        "directory": str(directory / "gateway"),
        "disk_budget_mib": content["gateway"].get("disk_budget_mib", 4096),
        "uplink": {
            "url": f"http://{_HERE}:{site_port}",
            "key_file": str(directory / "gateway.key"),
            "heartbeat_s": 1,
            "timeout_s": 3,
        },
        "thin": {"method": "none", "hold_s": 0.2},
        "output": [{"output": "local_page", "settings": {"host": _HERE, "port": page_port}}],
    }
    return {**content, "gateway": gateway}


def _forewarn(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "forewarn", *arguments]


def _site_variables(directory: Path) -> dict[str, str]:
    return {"FOREWARN_DIRECTORY": str(directory / "site"), "FOREWARN_FLUSH_INTERVAL_S": "2"}


def _prepare_site(directory: Path, file: Path, name: str) -> str:
    """The machine's key."""
    variables = {**os.environ, **_site_variables(directory)}
    for arguments in (("apply", str(file), "--yes"), ("machines", "add", name, "--role", "gateway", "--key")):
        done = subprocess.run(_forewarn(*arguments), env=variables, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ForewarnError(f"the drill's site could not be prepared: {done.stdout}{done.stderr}")
    words = done.stdout.split()
    return max(words, key=len)
