"""A plant for bad days: machines of other makers, a site, and gateways as processes of their own."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from forewarn.domain.access import Role
from tests.journeys.mounting import run, trigger_of
from tests.journeys.test_standby import GatewayProcess
from tests.peers.processes import free_port
from tests.site_process import SiteProcess

START_S, NAMED_S, OVER_S = 60.0, 60.0, 150.0
ALL_TIMES = {"aggregation": "raw", "start": "2026-01-01T00:00:00Z", "end": "2100-01-01T00:00:00Z"}


def until(holds: Callable[[], Any], what: str, limit_s: float = 60.0) -> Any:
    """What `holds` answers, once it is true."""
    began = time.monotonic()
    while not (found := holds()):
        assert time.monotonic() - began < limit_s, f"waited {limit_s:.0f} s in vain: {what}"
        time.sleep(0.1)
    return found


def source(name: str, connector: str, **settings: object) -> str:
    told = ", ".join(f"{key} = {json.dumps(value)}" for key, value in settings.items())
    return f'\n[[source]]\nname = "{name}"\nconnector = "{connector}"\nsettings = {{ {told} }}\n'


def asset(name: str, signals: Mapping[str, tuple[str, str]]) -> str:
    """signals: source and address by name."""
    text = f'\n[[asset]]\nid = "{name}"\npath = "acme/pune/water/line-1"\n'
    for signal_name, (of, address) in signals.items():
        text += f'[asset.signals.{signal_name}]\nkind = "other"\nunit = "1"\nsource = "{of}"\naddress = "{address}"\n'
    return text


class ClockedSite(SiteProcess):
    """A site on a machine whose clock can be set wrong."""

    program = (str(Path(__file__).parents[1] / "peers" / "site_with_clock.py"),)

    def __init__(self, directory: Path, **environment: str) -> None:
        self._clock = directory.with_suffix(".clock")
        super().__init__(directory, FOREWARN_DRILL_CLOCK=str(self._clock), **environment)

    def set_clock(self, ahead_us: int) -> None:
        new = self._clock.with_suffix(".new")
        new.write_text(str(ahead_us))
        new.replace(self._clock)


class EdgeGateway(GatewayProcess):
    """A gateway that runs, and what its own page and its site say of it."""

    def __init__(self, folder: Path, name: str, site: SiteProcess, text: str, **more: str) -> None:
        """text: sources and assets. more: `url` and `ca` of the site, `directory`, where not the plain ones."""
        self.name, self.site, self.text = name, site, text
        self.environment: dict[str, str] = {}
        self.directory = Path(more.pop("directory", str(folder / name)))
        with site.credentials() as credentials:
            (folder / f"{name}.key").write_text(credentials.machine(name, role=Role.GATEWAY).token)
        page = free_port()
        uplink = {"url": site.url, "key_file": str(folder / f"{name}.key"), "heartbeat_s": 1, "timeout_s": 2, **more}
        told = ", ".join(f"{key} = {json.dumps(value)}" for key, value in uplink.items())
        self.head = f"""
[gateway]
name = "{name}"
directory = "{self.directory}"
detectors = []
thin = {{ method = "none", hold_s = 0.2 }}
uplink = {{ {told} }}
output = [{{ output = "local_page", settings = {{ port = {page} }} }}]
"""
        file = folder / f"{name}.toml"
        file.write_text(self.head + text)
        super().__init__(file, page)

    def start(self) -> "EdgeGateway":
        with self.file.with_suffix(".log").open("ab") as log:
            command = [sys.executable, "-m", "forewarn", "gateway", "--config", str(self.file)]
            environment = {**os.environ, **self.environment}
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        return self

    def reload(self, text: str) -> None:
        self.file.write_text(text)
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "forewarn", "gateway", *arguments, "--config", str(self.file)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    def codes(self) -> set[tuple[str, str]]:
        """Subject and name of the states that its own page tells of."""
        return {(c["subject"], c["code"]) for c in self.status().get("conditions", ())}

    def stood_s(self, subject: str, code: str) -> float:
        """How long it has been in that state, by its own clock."""
        told = self.status()
        held = (c["since"] for c in told.get("conditions", ()) if (c["subject"], c["code"]) == (subject, code))
        return max(((told["at"] - since) / 1e6 for since in held), default=0.0)

    def at_site(self) -> dict[str, Any]:
        answer = self.site.http.get(f"/api/v1/gateways/{self.name}")
        return answer.json() if answer.status_code == 200 else {}

    def codes_at_site(self) -> set[tuple[str, str]]:
        return {(c["subject"], c["code"]) for c in self.at_site().get("conditions_now", ())}

    def over_at_site(self) -> set[tuple[str, str]]:
        """Those that the site's journal has an end of."""
        return {(c["subject"], c["code"]) for c in self.at_site().get("journal", ()) if c["ended_at"]}

    def source(self, name: str) -> dict[str, Any]:
        return next((s for s in self.status().get("sources", ()) if s["name"] == name), {})

    def connected(self, *names: str) -> bool:
        return all(self.source(name).get("state") == "connected" for name in names)

    def readings(self, name: str) -> int:
        return int(self.source(name).get("readings", 0))

    def goes_on(self, name: str, limit_s: float = START_S) -> None:
        """The source brings readings from now on."""
        before = self.readings(name)
        with contextlib.suppress(AssertionError):
            until(lambda: self.readings(name) > before, name, limit_s)
            return
        told = self.status()
        log = "\n".join(self.file.with_suffix(".log").read_text().splitlines()[-20:])
        held = [(c["subject"], c["code"], c["text"]) for c in told.get("conditions", ())]
        raise AssertionError(f"{self.name}: nothing more of {name} after {before}: {self.source(name)} {held}\n{log}")


def points(site: SiteProcess, signal_id: str) -> list[dict[str, Any]]:
    answer = site.http.get(f"/api/v1/sensors/{signal_id}/timeseries", params=ALL_TIMES)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["data"])


def good_values(site: SiteProcess, signal_id: str) -> list[float]:
    return [p["value"] for p in points(site, signal_id) if p["quality"] == 0]


def holes(values: list[float]) -> list[float]:
    """The first numbers that a machine counted and nobody has."""
    if not values:
        return [0.0]
    return np.setdiff1d(np.arange(min(values), max(values) + 1), values)[:10].tolist()


def nothing_missing(site: SiteProcess, signal_id: str, limit_s: float = 60.0) -> None:
    """What the machine counted itself: from the first number that the site has to one that comes after now."""
    last = max(good_values(site, signal_id), default=0.0)
    found: list[float] = []

    def whole() -> bool:
        found[:] = good_values(site, signal_id)
        return max(found, default=0.0) > last and not holes(found)

    with contextlib.suppress(AssertionError):
        until(whole, signal_id, limit_s)
    assert holes(found) == [], f"{signal_id}: missing at the site, of {len(found)} to {max(found, default=0)}"
    assert max(found) > last
    assert len(found) == len(set(found)), f"{signal_id}: twice at the site"


def findings_of(site: SiteProcess, code: str, asset_id: str) -> list[dict[str, Any]]:
    """What the site found of this state on this machine."""
    answer = site.http.get("/api/v1/anomalies", params={"asset_id": asset_id, "limit": 1000})
    assert answer.status_code == 200, answer.text
    found = answer.json()["anomalies"]
    return [f for f in found if (f["detector"], f["anomaly_type"]) == ("gateway", code)]


class SmallDisk:
    """An ext4 file system of 256 MiB in a file, that can be filled, and whose kernel can be made to find it damaged:
    it is read-only from then on, under the files that are open, until it is checked."""

    def __init__(self, folder: Path) -> None:
        self.place = folder / "disk"
        self._image, self._filler = folder / "disk.img", self.place / "filler"

    def __enter__(self) -> "SmallDisk":
        self.place.mkdir()
        with self._image.open("wb") as image:
            image.truncate(256 << 20)
        _do("mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", str(self._image))
        self._mount()
        return self

    def __exit__(self, *_: object) -> None:
        _do("umount", "-l", str(self.place))

    def _mount(self) -> None:
        _do("mount", "-o", "loop,errors=remount-ro", str(self._image), str(self.place))

    def fill(self) -> None:
        with self._filler.open("wb") as filler:
            size = shutil.disk_usage(self.place).free
            while size >= 4096:
                try:
                    os.posix_fallocate(filler.fileno(), os.fstat(filler.fileno()).st_size, size)
                except OSError:
                    size //= 2

    def make_room(self) -> None:
        self._filler.unlink()

    def refuse(self) -> None:
        trigger_of(self.place).write_text("1")

    def repair(self) -> None:
        """As at a start of the machine: nobody has a file open."""
        _do("umount", str(self.place))
        assert run("e2fsck", "-fy", str(self._image)).returncode < 4
        self._mount()


def _do(program: str, *arguments: str) -> None:
    done = run(program, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr


@contextlib.contextmanager
def ended_at_last(*gateways: EdgeGateway) -> Iterator[None]:
    with ExitStack() as closing:
        for gateway in gateways:
            closing.callback(gateway.end, signal.SIGKILL)
        yield
