"""Catching up after a day without the site, while the present goes on.

Run: `python -m benchmarks.catch_up [--hours 24] [--quick]`. A gateway's outbox is filled as a cut of so many hours at
1,000 readings/s fills it (100 signals, 10 Hz, two parcels a second, nothing thinned); then its uplink meets a real
`forewarn serve` while two parcels a second of the present are added. Printed: how fast the backlog went, how long a
live parcel waited for its acknowledgement, and every reading counted in the site's historian afterwards.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from forewarn.app.plugins import load
from forewarn.app.settings import Settings
from forewarn.app.site_catalog import open_site_catalog
from forewarn.contracts.outbox import Packed, Tally, Urgency
from forewarn.domain.access import Role
from forewarn.domain.gateways import BufferStatus, GatewayRole, GatewayStatus
from forewarn.domain.series import Series
from forewarn.gateway.conditions import Conditions
from forewarn.gateway.outbox import SqliteOutbox
from forewarn.gateway.uplink.link import SiteLink
from forewarn.gateway.uplink.uplink import Uplink
from forewarn.gateway.wire import Wire
from forewarn.kit.clock import HOUR, SECOND, now_us
from forewarn.policies.gateway_settings import UplinkSettings
from tests.site_process import SiteProcess

SIGNALS, HZ = 100, 10
PER_PARCEL = SIGNALS * HZ // 2
NAME = "bench"


def plant() -> str:
    signals = "".join(f'[asset.signals.s{i}]\nkind = "pressure"\nunit = "bar"\n' for i in range(SIGNALS))
    return f'[[asset]]\nid = "p1"\npath = "e/s/a/l"\n{signals}'


class Producer:
    """Half a second of readings a parcel, values with a little noise, in hundredths."""

    def __init__(self) -> None:
        self._wire, self._rng = Wire(), np.random.default_rng(1)
        self._key = np.repeat(np.arange(1, SIGNALS + 1, dtype=np.int32), HZ // 2)
        self._step = np.tile(np.arange(HZ // 2, dtype=np.int64) * (SECOND // HZ), SIGNALS)
        self._level = np.repeat(self._rng.uniform(5, 200, SIGNALS), HZ // 2)

    def parcel(self, start: int) -> Packed:
        jitter = self._rng.integers(0, 5_000, PER_PARCEL)
        value = np.round(self._level + self._rng.normal(0, 0.3, PER_PARCEL), 2)
        rows = Series(self._key, start + self._step + jitter, value, np.zeros(PER_PARCEL, np.uint32))
        return self._wire.readings(rows, Urgency.NORMAL)


def fill(outbox: SqliteOutbox, hours: float, producer: Producer) -> int:
    """How many parcels."""
    parcels = int(hours * 7_200)
    first = (now_us() // SECOND) * SECOND - int(hours * HOUR) - 10 * SECOND
    group = 200
    for begin in range(0, parcels, group):
        some = [producer.parcel(first + i * SECOND // 2) for i in range(begin, min(begin + group, parcels))]
        rows = sum(p.rows for p in some)
        outbox.pack(some, Tally(rows, rows, 0, 0), b"", begin + len(some))
    return parcels


class Live:
    """The present: a parcel every half second, and how long each waited for its acknowledgement."""

    def __init__(self, outbox: SqliteOutbox, producer: Producer) -> None:
        self._outbox, self._producer = outbox, producer
        self.added = 0
        self.waits: list[float] = []
        self.stop = asyncio.Event()

    async def run(self) -> None:
        outbox, offset = self._outbox, self._outbox.offset
        while not self.stop.is_set():
            began = time.monotonic()
            offset += 1
            packed = self._producer.parcel(now_us())
            await asyncio.to_thread(outbox.pack, [packed], Tally(packed.rows, packed.rows, 0, 0), b"", offset)
            number, packed_at = outbox.last_number, time.monotonic()
            self.added += 1
            while await asyncio.to_thread(outbox.pending, number - 1, number, 1):
                await asyncio.sleep(0.005)
            self.waits.append(time.monotonic() - packed_at)
            await asyncio.sleep(max(0.0, 0.5 - (time.monotonic() - began)))


def uplink_of(outbox: SqliteOutbox, site: SiteProcess, key: Path) -> tuple[Uplink, SiteLink]:
    settings = UplinkSettings(site.url, key_file=key)
    signals = {i + 1: f"p1.s{i}" for i in range(SIGNALS)}

    def status() -> GatewayStatus:
        buffer = BufferStatus(1, 1, 1, 1)
        return GatewayStatus(NAME, "1", now_us(), now_us(), GatewayRole.ALONE, uplink.status(), buffer, outbox.sums())

    link = SiteLink(settings, NAME, "1")
    conditions = Conditions("site", now_us)
    uplink = Uplink(settings, link, outbox, lambda: signals, status, lambda request: None, conditions)
    return uplink, link


async def catch_up(outbox: SqliteOutbox, site: SiteProcess, key: Path, backlog: int, producer: Producer) -> int:
    """Prints; how many live parcels were added."""
    uplink, link = uplink_of(outbox, site, key)
    live = Live(outbox, producer)
    process = psutil.Process()
    before, began = process.cpu_times(), time.monotonic()
    running = asyncio.create_task(uplink.run())
    while uplink.status().last_acknowledged_at is None:
        await asyncio.sleep(0.01)
    living = asyncio.create_task(live.run())
    while await asyncio.to_thread(outbox.pending, 0, backlog, 1):
        await asyncio.sleep(0.05)
    elapsed = time.monotonic() - began
    spent = sum(process.cpu_times()[:2]) - sum(before[:2])
    live.stop.set()
    await living
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    readings = backlog * PER_PARCEL
    pace = readings / elapsed
    print(f"backlog: {readings:,} readings in {backlog:,} parcels, {link.sent_bytes / readings:.2f} B a reading")
    print(f"caught up in {elapsed:.1f} s: {pace:,.0f} readings/s, {pace / 1000:.0f} x real time")
    p50, p99 = np.percentile(live.waits, [50, 99]) * 1e3
    most = max(live.waits) * 1e3
    print(f"live parcels meanwhile: p50 {p50:.0f} ms, p99 {p99:.0f} ms, most {most:.0f} ms of {len(live.waits)}")
    print(f"gateway's side: {spent / elapsed * 100:.0f} % of a core (both processes on this machine)")
    return live.added


def counted(directory: Path) -> int:
    """Readings in the site's historian, each (signal, time) once."""
    with open_site_catalog(Settings(directory=directory)) as catalog:
        keys = np.array([s.key for s in catalog.plant.signals()], np.int32)
    historian = load("historians", "parquet")(directory / "historian", flush_readings=2_000_000, flush_interval_s=30.0)
    try:
        end = now_us() + HOUR
        return sum(
            int(historian.aggregate(keys, start, min(start + 6 * HOUR, end), HOUR).count.sum())
            for start in range(end - 48 * HOUR, end, 6 * HOUR)
        )
    finally:
        historian.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    hours = 0.5 if given.quick else given.hours
    with tempfile.TemporaryDirectory() as temporary:
        folder, producer = Path(temporary), Producer()
        outbox = SqliteOutbox(folder / "outbox")
        began = time.monotonic()
        backlog = fill(outbox, hours, producer)
        made_s = time.monotonic() - began
        print(f"{hours:g} h without the site: {outbox.size() / 1e6:,.0f} MB in the outbox (made in {made_s:.0f} s)")
        site = SiteProcess(folder / "site")
        (folder / "plant.toml").write_text(plant())
        site.apply(folder / "plant.toml")
        with site.credentials() as credentials:
            (folder / "key").write_text(credentials.machine(NAME, role=Role.GATEWAY).token)
        site.start()
        try:
            added = asyncio.run(catch_up(outbox, site, folder / "key", backlog, producer))
            sums = outbox.sums()
        finally:
            outbox.close()
            site.stop()
        expected = (backlog + added) * PER_PARCEL
        there = counted(folder / "site")
        print(f"ledger: {sums.acknowledged:,} acknowledged of {sums.kept:,}, adds up: {sums.adds_up}")
        print(f"at the site: {there:,} of {expected:,}, each (signal, time) once: {expected - there:,} lost")


if __name__ == "__main__":
    main()
