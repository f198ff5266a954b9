"""The time that Forewarn itself was away is marked as a lost source is; charts break the line there."""

import asyncio
import contextlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from forewarn.app.heartbeat import Heartbeat
from forewarn.app.settings import Settings
from forewarn.app.wiring import Site, open_site
from forewarn.catalog import open_catalog
from forewarn.domain.assets import SourceConfig
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.status import BAD_NO_COMMUNICATION
from forewarn.kit.clock import SECOND, now_us
from forewarn.policies.rules import default_rules
from tests.app.test_baselining import PLANT, settle

SOURCES = (SourceConfig("plc", "modbus", {"host": "127.0.0.1", "port": 1}),)
COLLECTED = replace(
    PLANT,
    signals=tuple(replace(s, source="plc" if s.name != "c" else None, address="hr:0:float32") for s in PLANT.signals),
    sources=SOURCES,
)


def settings(directory: Path) -> Settings:
    made = Settings(directory=directory)
    made.make_directory()
    with open_catalog(made.catalog_url) as catalog:
        catalog.plant.apply(COLLECTED, default_rules(COLLECTED))
    return made


def send(site: Site, at: int) -> None:
    """One reading of `a` and of `c`, which is pushed by somebody else."""
    keys = np.array([site.plant.table.key_of["p1.a"], site.plant.table.key_of["p1.c"]], np.int32)
    batch = ReadingBatch(keys, np.full(2, at, np.int64), np.ones(2), np.zeros(2, np.uint32), "gw", at)
    site.door.submit(batch).appended.result(30)


async def collect(site: Site) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(site.runner.run(), 0.5)


def readings(site: Site, name: str) -> list[tuple[int, int]]:
    settle(site)
    key = np.array([site.plant.table.key_of[f"p1.{name}"]], np.int32)
    found = site.historian.raw(key, 0, now_us() + SECOND)
    return list(zip(found.time.tolist(), found.quality.tolist(), strict=True))


@pytest.mark.parametrize(("away_s", "marked"), [(600, True), (1, False)])
def test_downtime_is_marked_on_collected_signals(tmp_path: Path, away_s: int, marked: bool) -> None:
    made = settings(tmp_path / "site")
    died = now_us() - away_s * SECOND
    with open_site(made) as site:
        send(site, died - SECOND)
    Heartbeat(made.directory).beat(died)
    with open_site(made) as again:
        asyncio.run(collect(again))
        mark = [(died + 1_500_000, BAD_NO_COMMUNICATION)] if marked else []
        assert readings(again, "a") == [(died - SECOND, 0), *mark]
        assert readings(again, "b") == []
        assert readings(again, "c") == [(died - SECOND, 0)]
    with open_site(made) as third:  # ended well a moment ago
        asyncio.run(collect(third))
        assert len(readings(third, "a")) == (2 if marked else 1)


def test_a_beat_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    assert Heartbeat(tmp_path).last() is None
    (tmp_path / "alive").write_text("yesterday")
    assert Heartbeat(tmp_path).last() is None
    Heartbeat(tmp_path).beat(17)
    assert Heartbeat(tmp_path).last() == 17
