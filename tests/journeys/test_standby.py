"""Two gateways on the same devices: one is killed, the other takes over; nothing is missing, nothing there twice."""

import asyncio
import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from forewarn.domain.access import Role
from forewarn.gateway.drill.cable import Cable
from forewarn.kit.clock import SECOND, from_rfc3339, now_us
from tests.journeys.test_drill import gateway_toml, values_at_site
from tests.peers.processes import free_port, mosquitto, node_peer, python_peer
from tests.site_process import SiteProcess

LEASE_S = 6
POLL_S = 0.2
HOLE_S = 2.0  # a poll or two on a machine that is busy with three servers and a site; every cut lasts twice as long


class GatewayProcess:
    """`forewarn gateway` as a child, asked over its local page."""

    def __init__(self, file: Path, page: int) -> None:
        self.file, self.page = file, page
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "GatewayProcess":
        with self.file.with_suffix(".log").open("ab") as log:
            command = [sys.executable, "-m", "forewarn", "gateway", "--config", str(self.file)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        return self

    def status(self) -> dict:
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"http://127.0.0.1:{self.page}/status.json", timeout=2).json()
        return {}

    def end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(30)
            self._process = None


def until(holds, limit_s: float = 60.0) -> float:
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < limit_s, "waited in vain"
        time.sleep(0.1)
    return time.monotonic() - began


class Cables:
    """Cables in a thread of their own, by name."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._of: dict[str, Cable] = {}

    def __enter__(self) -> "Cables":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for name in self._of:
            self.cut(name)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def lay(self, name: str, port: int) -> int:
        """To `port`; the port to connect to instead."""
        cable = self._of[name] = Cable("127.0.0.1", port)
        self._do(cable.__aenter__())
        return cable.port

    def cut(self, name: str) -> None:
        self._do(self._of[name].cut())

    def mend(self, name: str) -> None:
        self._do(self._of[name].mend())

    def _do(self, work: Coroutine[Any, Any, object]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(20)


class Pair:
    """Each gateway reaches each device through a cable of its own: `gw-a plc`, `gw-b server`, ..."""

    def __init__(self, site: SiteProcess, one: GatewayProcess, other: GatewayProcess, cables: Cables) -> None:
        self.site, self.one, self.other, self.cables = site, one, other, cables


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    opcua, modbus, mqtt = free_port(), free_port(), free_port()
    with ExitStack() as running:
        running.enter_context(node_peer("opcua_server.js", str(tmp_path / "pki"), "history", port=opcua))
        running.enter_context(python_peer("libmodbus_server.py", port=modbus))
        running.enter_context(mosquitto(tmp_path / "mosquitto", mqtt))
        running.enter_context(python_peer("mqtt_publisher.py", "plant/p1/telemetry", port=mqtt))
        site = SiteProcess(tmp_path / "site", FOREWARN_FLUSH_INTERVAL_S="2")
        (tmp_path / "plant.toml").write_text(gateway_toml(opcua, modbus, mqtt))
        site.apply(tmp_path / "plant.toml")
        cables = running.enter_context(Cables())
        gateways = []
        for name in ("gw-a", "gw-b"):
            with site.credentials() as credentials:
                (tmp_path / f"{name}.key").write_text(credentials.machine(name, role=Role.GATEWAY).token)
            page = free_port()
            own = f"""
[gateway]
name = "{name}"
directory = "{tmp_path / name}"
thin = {{ method = "none" }}
uplink = {{ url = "{site.url}", key_file = "{tmp_path / name}.key", heartbeat_s = 1, timeout_s = 2 }}
standby = {{ group = "line-1", seconds = {LEASE_S}, broker = {{ host = "127.0.0.1", port = {mqtt} }} }}
output = [{{ output = "local_page", settings = {{ port = {page} }} }}]
"""
            file = tmp_path / f"{name}.toml"
            text = gateway_toml(cables.lay(f"{name} server", opcua), cables.lay(f"{name} plc", modbus), mqtt)
            mine = text.replace('[gateway]\nname = "drilled"\n', own)
            # What a gateway did not hear it shall have from nobody but its partner.
            mine = mine.replace("queue_size = 200", "queue_size = 200, history = { read = false }")
            # Two sessions at one broker under one name would throw each other out.
            mine = mine.replace("keepalive_s = 1", f'keepalive_s = 1, client_id = "{name}"')
            file.write_text(mine)
            gateways.append(GatewayProcess(file, page))
        site.start()
        one, other = (gateway.start() for gateway in gateways)
        try:
            yield Pair(site, one, other, cables)
        finally:
            one.end(signal.SIGKILL)
            other.end(signal.SIGKILL)
            site.stop()


def by_role(pair: Pair) -> tuple[GatewayProcess, GatewayProcess]:
    """Active, standby; once there is one of each."""
    roles: dict[str, GatewayProcess] = {}

    def settled() -> bool:
        roles.clear()
        for gateway in (pair.one, pair.other):
            status = gateway.status()
            connected = bool(status) and all(s["state"] == "connected" for s in status["sources"])
            roles[status.get("role", "") if connected else ""] = gateway
        return {"active", "standby"} <= roles.keys()

    until(settled)
    return roles["active"], roles["standby"]


def points_at_site(pair: Pair, name: str) -> list[dict]:
    answer = pair.site.http.get(
        f"/api/v1/sensors/{name}/timeseries",
        params={"aggregation": "raw", "start": "2026-01-01T00:00:00Z", "end": "2100-01-01T00:00:00Z"},
    )
    return [point for point in answer.json()["data"] if point["quality"] == 0]


def times_at_site(pair: Pair, name: str) -> np.ndarray:
    return np.array([from_rfc3339(point["timestamp"]) for point in points_at_site(pair, name)], np.int64)


def values_of(pair: Pair, name: str, start: int, end: int) -> np.ndarray:
    points = points_at_site(pair, name)
    return np.array([p["value"] for p in points if start <= from_rfc3339(p["timestamp"]) <= end], np.float64)


def test_a_killed_gateway_is_replaced_and_what_it_left_is_not_told_twice(pair: Pair, tmp_path: Path) -> None:
    active, standby = by_role(pair)
    time.sleep(4)
    assert standby.status()["ledger"]["acknowledged"] == 0
    active.end(signal.SIGKILL)
    took_s = until(lambda: standby.status().get("role") == "active")
    assert took_s < 60
    time.sleep(4)
    active.start()  # it comes back, and waits now
    until(lambda: active.status().get("role") == "standby")
    time.sleep(3)
    until(lambda: standby.status()["ledger"]["pending"] < 200)
    standby.end(signal.SIGTERM)
    active.end(signal.SIGTERM)
    pair.site.stop()
    for name in ("p1.recorded", "p1.published"):
        counted = values_at_site(tmp_path / "site", name)
        assert np.array_equal(counted, np.arange(counted[0], counted[0] + len(counted))), name


def test_polled_readings_of_both_do_not_mix(pair: Pair) -> None:
    active, standby = by_role(pair)
    time.sleep(3)
    active.end(signal.SIGKILL)
    until(lambda: standby.status().get("role") == "active")
    time.sleep(4)
    until(lambda: standby.status()["uplink"]["backlog_parcels"] == 0)
    time.sleep(1)
    times = times_at_site(pair, "p1.register")
    apart_s = np.diff(np.sort(times)) / SECOND
    # One change of hands may put two polls close to each other, and leave no hole of more than a poll or two.
    assert np.count_nonzero(apart_s < POLL_S / 2) <= 1
    assert apart_s.max() < 5 * POLL_S


def state_of(gateway: GatewayProcess, source: str) -> str:
    return next((s["state"] for s in gateway.status().get("sources", ()) if s["name"] == source), "")


@pytest.mark.slow
def test_what_only_the_waiting_one_can_reach_is_told_by_it(pair: Pair, tmp_path: Path) -> None:
    active, standby = by_role(pair)
    holder, waiting = active.file.stem, standby.file.stem
    time.sleep(2)
    began = now_us()
    lose(pair, active, "plc")
    time.sleep(4)
    lose(pair, standby, "server")  # now each of them reaches one device alone
    time.sleep(4)
    pair.cables.mend(f"{waiting} server")
    until(lambda: state_of(standby, "server") == "connected")
    time.sleep(1)
    lose(pair, active, "server")  # the holder reaches neither, and holds the lease
    time.sleep(4)
    for source in ("plc", "server"):
        pair.cables.mend(f"{holder} {source}")
    until(lambda: {state_of(active, source) for source in ("plc", "server")} == {"connected"})
    time.sleep(1)
    assert (active.status()["role"], standby.status()["role"]) == ("active", "standby")
    active.end(signal.SIGKILL)
    active.start()  # within its lease, as a rule: nobody takes over
    until(lambda: {state_of(active, source) for source in ("plc", "server")} == {"connected"})
    ended = now_us()
    until(lambda: widest_s(times_at_site(pair, "p1.register"), began, ended) < HOLE_S, 90)
    until(lambda: np.diff(np.sort(values_of(pair, "p1.recorded", began, ended))).max() == 1, 90)
    times = times_at_site(pair, "p1.register")
    inside = np.count_nonzero((times >= began) & (times <= ended))
    # Where the one ends and the other begins, two polls may lie close to each other.
    assert inside <= (ended - began) / SECOND / POLL_S + 10
    standby.end(signal.SIGTERM)
    active.end(signal.SIGTERM)
    pair.site.stop()
    for name in ("p1.recorded", "p1.published"):
        counted = values_at_site(tmp_path / "site", name)
        assert np.diff(counted).max() == 1, (name, counted[:-1][np.diff(counted) > 1], np.diff(counted).max())


def lose(pair: Pair, gateway: GatewayProcess, source: str) -> None:
    pair.cables.cut(f"{gateway.file.stem} {source}")
    until(lambda: state_of(gateway, source) == "reconnecting")


def widest_s(times: np.ndarray, start: int, end: int) -> float:
    """The longest time without a reading between start and end."""
    inside = np.sort(times[(times >= start) & (times <= end)])
    return float(np.diff(np.concatenate([[start], inside, [end]])).max()) / SECOND
