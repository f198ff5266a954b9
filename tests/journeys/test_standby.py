"""Two gateways on the same devices: one is killed, the other takes over; nothing is missing, nothing there twice."""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import numpy as np
import pytest

from forewarn.domain.access import Role
from forewarn.kit.clock import SECOND, from_rfc3339
from tests.journeys.test_drill import gateway_toml, values_at_site
from tests.peers.processes import free_port, mosquitto, node_peer, python_peer
from tests.site_process import SiteProcess

LEASE_S = 6
POLL_S = 0.2


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


class Pair:
    def __init__(self, site: SiteProcess, one: GatewayProcess, other: GatewayProcess) -> None:
        self.site, self.one, self.other = site, one, other


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    opcua, modbus, mqtt = free_port(), free_port(), free_port()
    with ExitStack() as running:
        running.enter_context(node_peer("opcua_server.js", str(tmp_path / "pki"), "history", port=opcua))
        running.enter_context(python_peer("libmodbus_server.py", port=modbus))
        running.enter_context(mosquitto(tmp_path / "mosquitto", mqtt))
        running.enter_context(python_peer("mqtt_publisher.py", "plant/p1/telemetry", port=mqtt))
        site = SiteProcess(tmp_path / "site", FOREWARN_FLUSH_INTERVAL_S="2")
        text = gateway_toml(opcua, modbus, mqtt)
        (tmp_path / "plant.toml").write_text(text)
        site.apply(tmp_path / "plant.toml")
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
            mine = text.replace('[gateway]\nname = "drilled"\n', own)
            # Two sessions at one broker under one name would throw each other out.
            mine = mine.replace("keepalive_s = 1", f'keepalive_s = 1, client_id = "{name}"')
            file.write_text(mine)
            gateways.append(GatewayProcess(file, page))
        site.start()
        one, other = (gateway.start() for gateway in gateways)
        try:
            yield Pair(site, one, other)
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


def times_at_site(pair: Pair, name: str) -> np.ndarray:
    answer = pair.site.http.get(
        f"/api/v1/sensors/{name}/timeseries",
        params={"aggregation": "raw", "start": "2026-01-01T00:00:00Z", "end": "2100-01-01T00:00:00Z"},
    )
    points = answer.json()["data"]
    return np.array([from_rfc3339(p["timestamp"]) for p in points if p["quality"] == 0], np.int64)


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
