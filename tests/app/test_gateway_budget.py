"""At the least budget, under load and with no site: all its files stay within it."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from forewarn.app.gateway.wiring import open_gateway
from forewarn.domain.assets import Plant
from forewarn.domain.errors import BatchLogFull
from forewarn.domain.readings import ReadingBatch
from forewarn.gateway.disk_budget import let_go_of_one_aside
from forewarn.gateway.sink import gateway_of
from forewarn.kit.clock import keep_time_by, now_us, wall_us
from forewarn.policies.gateway_settings import GatewaySettings, ThinMethod, ThinWords
from tests.app.test_gateway_start import read

MIB = 1 << 20
ROWS, SIGNALS = 2_000, 200
BEGAN = now_us() - 3_600_000_000


def taken(directory: Path) -> int:
    total = 0
    for path in directory.rglob("*"):
        try:
            total += path.stat().st_blocks * 512
        except FileNotFoundError:
            continue
    return total


def batch(number: int) -> ReadingBatch:
    """Nothing in it can be compressed or thinned."""
    rng = np.random.default_rng(number)
    at = BEGAN + (number * ROWS + np.arange(ROWS)) * 100
    signal = np.arange(ROWS, dtype=np.int32) % SIGNALS + 1
    return ReadingBatch(signal, at, rng.normal(size=ROWS), np.zeros(ROWS, np.uint32), gateway_of("plc"), number)


def settings_and_plant(directory: Path) -> tuple[GatewaySettings, Plant]:
    signals = "".join(
        f'[asset.signals.s{n}]\nkind = "other"\nunit = "1"\naddress = "input:{n}"\n' for n in range(SIGNALS - 1)
    )
    settings, plant = read(directory, signals)
    return replace(settings, thin=ThinWords(ThinMethod.NONE)), plant


@pytest.mark.slow
def test_all_its_files_stay_within_the_least_budget(tmp_path: Path) -> None:
    settings, plant = settings_and_plant(tmp_path / "gw")
    budget, most, refused = settings.disk_budget_mib * MIB, 0, 0
    assert settings.disk_budget_mib == 64, "the least one"
    with open_gateway(settings, plant) as gateway:
        number, began, kept_at = 0, time.monotonic(), time.monotonic()
        while number < 3_000 and time.monotonic() - began < 120:
            try:
                gateway.stores.log.append(batch(number)).result(20)
                number += 1
            except BatchLogFull:
                refused += 1
                time.sleep(0.05)
            # 100,000 readings a second: ten times what a gateway is built for. A faster flood outruns the checkpoints.
            time.sleep(max(0.0, began + (number + refused) / 50 - time.monotonic()))
            if time.monotonic() - kept_at > 0.5:  # as often as every two seconds at a quarter of this pace
                kept_at = time.monotonic()
                gateway.keep_ring()
                most = max(most, taken(settings.directory))
        sums = gateway.stores.outbox.sums()
        assert number > 100, f"it stood still after {number} batches"
        assert most > budget / 2, f"{number} batches of {ROWS} readings were no load"
        assert sums.adds_up
        assert most <= budget, f"{most / MIB:.1f} MiB after {number} batches, {refused} refused"
    keep_time_by(wall_us)


def test_what_was_set_aside_goes_when_the_disk_is_full_the_oldest_first(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    old, new = tmp_path / "raw" / "damaged-20260101T000000000001-spool.db", tmp_path / "signals.tsv.damaged-2"
    for path in (old, new):
        path.write_bytes(b"x")
        time.sleep(0.02)
    for name in ("gateway.db", "damaged-bearings.xlsx"):
        (tmp_path / name).write_bytes(b"x")
    assert [let_go_of_one_aside(tmp_path) for _ in range(3)] == [str(old), str(new), ""]
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "gateway.db", "damaged-bearings.xlsx"}
