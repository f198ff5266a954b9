"""A machine behind a gateway that thins: its model is learned at the site, from what the gateway sent whole, and is
right about the readings that only the gateway sees."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from forewarn.app.settings import Settings
from forewarn.app.site_catalog import open_site_catalog
from forewarn.kit.clock import now_us
from tests.journeys.bad_plant import EdgeGateway, asset, source, until
from tests.peers.processes import free_port
from tests.site_process import SiteProcess
from tests.trained import KINDS, SECOND, healthy

MACHINE = "m1"
PAST_S, LATER_S = 3 * 3_600, 1_800
THIN = 'thin = { method = "swinging_door", error_percent = 5, whole_s = 60, whole_every_s = 300, hold_s = 0.2 }'


class Machine:
    """What it does is pushed to its gateway, faster than time goes by."""

    def __init__(self, site: SiteProcess, gateway: EdgeGateway, port: int) -> None:
        self.site, self.gateway, self._port = site, gateway, port
        self.now = (now_us() // SECOND - 12 * 3_600) * SECOND
        self._seed = self._read = 0

    def lives(self, seconds: int, off: float = 0.0) -> None:
        """off: by how much the pressure is not what goes with the flow."""
        self._seed += 1
        rows = healthy(seconds, self._seed)
        rows[:, 1] += off
        for start in range(0, seconds, 1_800):
            self._push(self.now + start * SECOND, rows[start : start + 1_800])
        self.now += seconds * SECOND
        self._read += 3 * seconds

    def _push(self, start: int, rows: NDArray[np.float64]) -> None:
        times = (start // 1000 + np.arange(len(rows)) * 1000).tolist()
        readings = [
            {"sensor_id": f"{MACHINE}/{kind}", "timestamp": at, "value": value}
            for j, kind in enumerate(KINDS)
            for at, value in zip(times, rows[:, j].tolist(), strict=True)
        ]
        address = f"http://127.0.0.1:{self._port}/api/v1/telemetry/batch"
        answer = httpx.post(address, json={"readings": readings}, timeout=30)
        assert answer.status_code == 200, answer.text

    def ledger(self) -> dict[str, int]:
        """The gateway's, once all that it read is thinned and sent."""

        def done() -> dict[str, int]:
            told = dict(self.gateway.status().get("ledger", {}))
            return told if told and told["read"] == self._read and not told["pending"] else {}

        return dict(until(done, "sent"))

    def train(self) -> None:
        done = self.site.run("train", MACHINE, "--days", "1", "--directory", str(self.site.directory))
        assert done.returncode == 0, done.stdout + done.stderr

    def champion(self) -> dict[str, Any]:
        return self.site.http.get(f"/api/v1/assets/{MACHINE}/model").json().get("champion") or {}

    def found(self) -> list[dict[str, Any]]:
        answer = self.site.http.get("/api/v1/anomalies", params={"limit": 1000, "asset_id": MACHINE})
        assert answer.status_code == 200, answer.text
        return [a for a in answer.json()["anomalies"] if a["detector"] == "ensemble"]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    site = SiteProcess(tmp_path / "site", FOREWARN_FLUSH_INTERVAL_S="1")
    port = free_port()
    text = source("push", "webhook", port=port)
    text += asset(MACHINE, {kind: ("push", f"{MACHINE}/{kind}") for kind in KINDS})
    gateway = EdgeGateway(tmp_path, "gw", site, text)
    gateway.file.write_text(gateway.head.replace('thin = { method = "none", hold_s = 0.2 }', THIN) + text)
    applied = site.run("apply", str(gateway.file), "--directory", str(site.directory), "--yes")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    site.start()
    gateway.start()
    try:
        until(lambda: gateway.status().get("uplink", {}).get("state") == "connected", "connected")
        yield Machine(site, gateway, port)
    finally:
        gateway.end(signal.SIGKILL)
        site.stop()


def test_learned_at_the_site_it_is_right_at_the_gateway(machine: Machine) -> None:
    machine.lives(PAST_S)
    ledger = machine.ledger()
    assert ledger["kept"] < 0.4 * ledger["read"]
    machine.site.settle()
    stored = ledger["acknowledged"]
    until(lambda: in_segments(machine.site) >= 0.99 * stored, "stored")
    machine.train()
    model = until(machine.champion, "a champion", 10)
    with open_site_catalog(Settings(directory=machine.site.directory)) as catalog:
        card = catalog.models.get(model["id"]).card
    assert any("whole stretches of 60 s that gateway gw sent" in note for note in card.notes), card.notes
    plan = machine.gateway.directory / "models" / "plan.json"
    until(lambda: plan.exists() and json.loads(plan.read_bytes())["used"] == {MACHINE: model["id"]}, "at the gateway")
    machine.lives(LATER_S)
    machine.ledger()
    assert machine.found() == []
    machine.lives(300, off=0.8)
    (found,) = until(machine.found, "the fault is found", 30)
    assert found["evidence"]["model"] == model["id"]
    assert machine.gateway.status()["reductions"] == [
        {"since": 0, "thinned": [["*", True]], "whole_s": 60, "whole_every_s": 300}
    ]


def in_segments(site: SiteProcess) -> int:
    historian = site.http.get("/api/v1/system").json()["historian"]
    return int(historian["readings"]) - int(historian["tail_readings"])
