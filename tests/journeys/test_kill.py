"""kill -9 of the whole process at random points under load: every acknowledged reading is there exactly once."""

import io
import random
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.site_process import SiteProcess

PLANT = """
[[asset]]
id = "rig"
name = "Rig"
path = "acme/pune/water/line-1"
"""
SIGNALS = 20
START_MS = 1_760_000_000_000


def _plant_file(folder: Path) -> Path:
    file = folder / "plant.toml"
    signals = (f'[asset.signals.s{i}]\nunit = "bar"\nkind = "pressure"\n' for i in range(SIGNALS))
    file.write_text(PLANT + "\n".join(signals))
    return file


def _time_of(number: int, lane: int) -> int:
    """Milliseconds. Lanes share signals but not times; every third batch comes out of order, and some tell anew what
    an earlier one told."""
    return START_MS + (number ^ (2 if number % 3 == 0 else 0)) * 1000 + lane


class Sender(threading.Thread):
    """Posts numbered batches, each again until acknowledged; a reading's value is its batch number."""

    def __init__(self, url: str, lane: int, key: httpx.Auth) -> None:
        super().__init__(daemon=True)
        self.url, self.lane, self.key = url, lane, key
        self.acknowledged: list[int] = []
        self.rejected = 0
        self.running, self.pending = True, False

    def _body(self, number: int) -> dict[str, object]:
        at = _time_of(number, self.lane)
        readings = [
            {"sensor_id": f"rig.s{i}", "timestamp": at, "value": float(number), "quality": "good"}
            for i in range(SIGNALS)
        ]
        return {"gateway_id": f"lane{self.lane}", "timestamp": at, "sequence": number, "readings": readings}

    def run(self) -> None:
        number = 0
        with httpx.Client(base_url=self.url, timeout=10, auth=self.key) as http:
            # The last one is seen through too: what was sent and not answered may be stored or not.
            while self.running or self.pending:
                self.pending = True
                try:
                    answer = http.post("/api/v1/telemetry/batch", json=self._body(number))
                except httpx.TransportError:
                    time.sleep(0.02)
                    continue
                if answer.status_code == 202:
                    self.rejected += answer.json()["rejected"]
                    self.acknowledged.append(number)
                    self.pending = False
                    number += 1

    def told(self) -> dict[int, int]:
        """Time -> value as it was told last."""
        return {_time_of(number, self.lane): number for number in self.acknowledged}


def _export(site: SiteProcess) -> tuple[np.ndarray, np.ndarray]:
    """(lane-and-time in ms, value) of signal s0 of all that is stored."""
    answer = site.http.get(
        "/api/v1/export", params={"signals": "rig.s0", "start": "2025-10-01T00:00:00Z", "end": "2026-01-01T00:00:00Z"}
    )
    assert answer.status_code == 200, answer.text
    table = pq.read_table(io.BytesIO(answer.content))
    return table["time"].cast("int64").to_numpy() // 1000, table["value"].to_numpy()


def _kill_under_load(tmp_path: Path, times: int) -> None:
    rng = random.Random(20261121)
    site = SiteProcess(tmp_path / "site", FOREWARN_FLUSH_INTERVAL_S="0.3", FOREWARN_LOG_LEVEL="warning")
    site.apply(_plant_file(tmp_path))
    with site.credentials() as credentials:
        keys = [credentials.machine(f"lane{lane}") for lane in range(3)]
    site.start()
    senders = [Sender(site.url, lane, key) for lane, key in enumerate(keys)]
    for sender in senders:
        sender.start()
    for _ in range(times):
        time.sleep(rng.uniform(0.05, 1.2))
        site.kill()
        site.start()
    time.sleep(1)
    for sender in senders:
        sender.running = False
        sender.join()
    site.settle()
    stored_at, stored_value = _export(site)
    assert len(np.unique(stored_at)) == len(stored_at), "a reading is there twice"
    found = dict(zip(stored_at.tolist(), stored_value.tolist(), strict=True))
    for sender in senders:
        assert sender.acknowledged, "the load never got through"
        assert sender.rejected == 0
        for at, number in sender.told().items():
            assert at in found, f"lane {sender.lane}: acknowledged batch {number} is lost"
            assert found[at] == number, f"lane {sender.lane}: batch {number} is stored as {found[at]}"
    assert len(found) == sum(len(sender.told()) for sender in senders), "a reading is there that nobody sent"
    counted = site.http.get(
        "/api/v1/sensors/rig.s0/timeseries",
        params={"start": "2025-10-01T00:00:00Z", "end": "2026-01-01T00:00:00Z", "aggregation": "1h"},
    )
    assert counted.status_code == 200, counted.text
    assert sum(point["count"] for point in counted.json()["data"]) == len(stored_at), (
        "the rollups count otherwise than raw"
    )
    assert site.stop() == 0


def test_five_kills_lose_nothing(tmp_path: Path) -> None:
    _kill_under_load(tmp_path, 5)


@pytest.mark.slow
def test_twenty_kills_lose_nothing(tmp_path: Path) -> None:
    _kill_under_load(tmp_path, 20)
