"""The uplink against a real site, over a cable that is cut and frozen."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from forewarn.contracts.outbox import Delivery, Packed, Parcel, Tally, Urgency
from forewarn.domain.access import Role
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import StorageFailed
from forewarn.domain.gateways import BufferStatus, GatewayRole, GatewayStatus, LedgerSums, SiteState
from forewarn.domain.series import Series
from forewarn.gateway.conditions import Conditions
from forewarn.gateway.drill.cable import Cable
from forewarn.gateway.outbox import SqliteOutbox
from forewarn.gateway.uplink.link import SiteLink, TableUnknown
from forewarn.gateway.uplink.raw_requests import RawRequest
from forewarn.gateway.uplink.uplink import EVERYTHING, Uplink
from forewarn.gateway.wire import Wire
from forewarn.kit.clock import SECOND, now_us
from forewarn.kit.retry import Backoff
from forewarn.policies.gateway_settings import UplinkSettings
from tests.site_process import SiteProcess

PLANT = """
[[asset]]
id = "p1"
path = "acme/pune/water/line-1"

[asset.signals.flow]
kind = "flow"
unit = "m3/h"

[asset.signals.level]
kind = "level"
unit = "m"
"""
SIGNALS = {1: "p1.flow", 2: "p1.level", 3: "p9.unknown"}
NAME = "line-1"


class OneSite:
    def __init__(self, process: SiteProcess, key_file: Path) -> None:
        self.process, self.key_file = process, key_file

    def count(self, signal: str) -> int:
        """Readings that are stored, once the line has taken them over."""
        self.process.settle()
        span = {"aggregation": "raw", "start": "2026-01-01T00:00:00Z", "end": "2100-01-01T00:00:00Z"}
        answer = self.process.http.get(f"/api/v1/sensors/{signal}/timeseries", params=span)
        return answer.json()["data_points"] if answer.status_code == 200 else 0


@pytest.fixture(autouse=True)
def soon_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forewarn.gateway.uplink.uplink._ASKED_AGAIN_S", 0.2)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneSite]:
    folder = tmp_path_factory.mktemp("uplink")
    process = SiteProcess(folder / "site")
    (folder / "plant.toml").write_text(PLANT)
    process.apply(folder / "plant.toml")
    with process.credentials() as credentials:
        key = credentials.machine(NAME, role=Role.GATEWAY).token
    (folder / "key").write_text(key)
    process.start()
    try:
        yield OneSite(process, folder / "key")
    finally:
        process.stop()


class Sender:
    """An outbox with its uplink, and the cable between it and the site."""

    def __init__(self, outbox: SqliteOutbox, uplink: Uplink, cable: Cable, conditions: Conditions) -> None:
        self.outbox, self.uplink, self.cable, self.conditions = outbox, uplink, cable, conditions
        self._offset = 0

    def pack(self, rows: int, key: int = 1, ahead_s: int = 0) -> None:
        """One parcel of readings of now."""
        at = now_us() + ahead_s * SECOND - rows + np.arange(rows, dtype=np.int64)
        column = np.full(rows, key, np.int32)
        packed: Packed = Wire().readings(
            Series(column, at, np.arange(rows) / 8.0, np.zeros(rows, np.uint32)), Urgency.NORMAL
        )
        self._offset += 1
        self.outbox.pack([packed], Tally(rows, rows, 0, 0), b"", self._offset)

    async def until_delivered(self) -> None:
        await until(lambda: self.outbox.waiting().parcels == 0)

    async def until_state(self, state: SiteState) -> None:
        await until(lambda: self.uplink.status().state is state)

    @property
    def codes(self) -> set[ConditionCode]:
        return {condition.code for condition in self.conditions.now()}


async def until(holds, limit_s: float = 60.0) -> None:
    deadline = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.02)


def status_of(uplink_status) -> GatewayStatus:
    return GatewayStatus(
        NAME, "1", now_us(), now_us(), GatewayRole.ALONE, uplink_status(), BufferStatus(1, 1, 1, 1), LedgerSums()
    )


@contextlib.asynccontextmanager
async def sending(
    directory: Path,
    site: OneSite,
    answer=lambda request: None,
    key_file: Path | None = None,
    timeout_s: float = 1.0,
    told=lambda status: None,
    signals=lambda: SIGNALS,
    status=lambda told: told,
    send_up_to=lambda: EVERYTHING,
) -> AsyncIterator[Sender]:
    outbox = SqliteOutbox(directory)
    conditions = Conditions("site", now_us)
    async with Cable("127.0.0.1", site.process.port) as cable:
        settings = UplinkSettings(
            f"http://127.0.0.1:{cable.port}",
            key_file=key_file or site.key_file,
            heartbeat_s=0.3,
            timeout_s=timeout_s,
        )
        uplink = Uplink(
            settings,
            SiteLink(settings, NAME, "1"),
            outbox,
            signals,
            lambda: status(status_of(uplink.status)),
            answer,
            conditions,
            send_up_to=send_up_to,
            backoff=Backoff(0.05, 0.5),
            told=told,
        )
        running = asyncio.create_task(uplink.run())
        try:
            yield Sender(outbox, uplink, cable, conditions)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            outbox.close()


async def test_parcels_arrive_once_and_the_clock_is_measured(tmp_path: Path, site: OneSite) -> None:
    before = site.count("p1.flow")
    async with sending(tmp_path / "o", site) as sender:
        for _ in range(5):
            sender.pack(10)
            await asyncio.sleep(0.05)
        await sender.until_delivered()
        status = sender.uplink.status()
        assert abs(status.clock_offset_s or 9.0) < 0.5
        assert status.last_acknowledged_at is not None
        assert sender.outbox.sums().acknowledged == 50
        assert sender.outbox.sums().adds_up
    assert site.count("p1.flow") - before == 50


@pytest.mark.parametrize("way", ["cut", "frozen"])
async def test_what_waits_while_the_site_is_away_follows_when_it_is_back(
    tmp_path: Path, site: OneSite, way: str
) -> None:
    before = site.count("p1.level")
    async with sending(tmp_path / "o", site) as sender:
        await sender.until_state(SiteState.CONNECTED)
        if way == "cut":
            await sender.cable.cut()
        else:
            sender.cable.freeze()
        for _ in range(20):
            sender.pack(10, key=2)
        await sender.until_state(SiteState.AWAY)
        assert ConditionCode.SITE_UNREACHABLE in sender.codes
        assert sender.uplink.status().backlog_readings == 200
        await sender.cable.mend()
        await sender.until_delivered()
        await sender.until_state(SiteState.CONNECTED)
        assert ConditionCode.SITE_UNREACHABLE not in sender.codes
        assert sender.outbox.sums().acknowledged == 200
    assert site.count("p1.level") - before == 200


async def test_live_parcels_do_not_wait_for_the_backlog(tmp_path: Path, site: OneSite) -> None:
    async with sending(tmp_path / "o", site) as sender:
        await sender.cable.cut()
        await sender.until_state(SiteState.AWAY)
        for _ in range(400):
            sender.pack(50)
        await sender.cable.mend()
        await until(lambda: sender.uplink.status().state is not SiteState.AWAY)
        sender.pack(1)
        live = sender.outbox.last_number
        await until(lambda: not sender.outbox.pending(live - 1, live, 1))
        assert sender.uplink.status().live_lag_s < 2.0
        await sender.until_delivered()


async def test_a_signal_the_site_does_not_know_is_told_by_name_and_counted(tmp_path: Path, site: OneSite) -> None:
    async with sending(tmp_path / "o", site) as sender:
        sender.pack(4, key=3)
        await sender.until_delivered()
        sums = sender.outbox.sums()
        assert (sums.refused, sums.acknowledged) == (4, 0)
        assert sums.adds_up
        assert any("p9.unknown" in c.text for c in sender.conditions.now())


async def test_a_signal_that_is_added_while_it_runs_is_told_to_the_site_before_its_readings(
    tmp_path: Path, site: OneSite
) -> None:
    known: dict[int, str] = {1: "p1.flow"}
    before = site.count("p1.level")
    async with sending(tmp_path / "o", site, signals=lambda: known) as sender:
        sender.pack(5)
        await sender.until_delivered()
        known = {1: "p1.flow", 2: "p1.level"}  # the gateway's file was read again
        sender.pack(5, key=2)
        await sender.until_delivered()
        assert sender.codes == set()
        assert sender.outbox.sums().acknowledged == 10
    assert site.count("p1.level") - before == 5


async def test_a_request_that_cannot_be_answered_yet_stops_nothing_and_is_answered_later(
    tmp_path: Path, site: OneSite
) -> None:
    tried: list[str] = []
    free = threading.Event()

    def answer(request: RawRequest) -> None:
        tried.append(request.id)
        if len(tried) == 1:
            raise StorageFailed("the disk is full", condition=ConditionCode.DISK_FULL)
        free.wait(200)

    async with sending(tmp_path / "o", site, answer) as sender:
        await sender.until_state(SiteState.CONNECTED)
        span = {"signals": ["p1.flow"], "start": "2026-01-01T00:00:00Z", "end": "2026-01-01T01:00:00Z"}
        path = f"/api/v1/gateways/{NAME}"
        asked = site.process.http.post(f"{path}/requests", json=span).json()["id"]
        await until(lambda: len(tried) == 2)
        assert ConditionCode.DISK_FULL in sender.codes
        beaten = site.process.http.get(path).json()["last_seen"]
        sender.pack(5)
        await sender.until_delivered()
        # A long answer holds up no heartbeat.
        await until(lambda: site.process.http.get(path).json()["last_seen"] > beaten)
        free.set()

        def done() -> bool:
            requests = site.process.http.get(f"{path}/requests").json()["requests"]
            return [r["state"] for r in requests if r["id"] == asked] == ["done"]

        await until(done)
        assert tried == [asked, asked]


async def test_a_heartbeat_that_the_site_cannot_read_holds_up_no_reading(tmp_path: Path, site: OneSite) -> None:
    def unreadable(told: GatewayStatus) -> GatewayStatus:
        return replace(told, name="somebody else")

    async with sending(tmp_path / "o", site, status=unreadable) as sender:
        sender.pack(5)
        await sender.until_delivered()
        await until(lambda: ConditionCode.SITE_REFUSES in sender.codes)
        assert sender.uplink.status().state is not SiteState.AWAY
        assert any("heartbeat" in c.text for c in sender.conditions.now())


async def test_a_wrong_key_is_named_and_nothing_is_lost(tmp_path: Path, site: OneSite) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("fwk_0000000000000000_nonsense")
    async with sending(tmp_path / "o", site, key_file=wrong) as sender:
        sender.pack(10)
        await sender.until_state(SiteState.REFUSED)
        assert ConditionCode.SITE_REFUSES in sender.codes
        assert sender.outbox.waiting().readings == 10
        wrong.write_text(site.key_file.read_text())  # mended on disk: it comes back by itself
        await sender.until_delivered()


async def test_the_site_asks_for_raw_readings_and_gets_them(tmp_path: Path, site: OneSite) -> None:
    asked: list[RawRequest] = []
    told: list[GatewayStatus] = []
    async with sending(tmp_path / "o", site, asked.append, told=told.append) as sender:
        await sender.until_state(SiteState.CONNECTED)
        answer = site.process.http.post(
            f"/api/v1/gateways/{NAME}/requests",
            json={"signals": ["p1.flow"], "start": "2026-01-01T00:00:00Z", "end": "2026-01-01T01:00:00Z"},
        )
        assert answer.status_code in (200, 201, 202), answer.text
        await until(lambda: bool(asked))
        assert asked[0].signals == ("p1.flow",)
        told.clear()
        await until(lambda: len(told) > 3)
        assert len(asked) == 1  # told to be done, it is not asked again


async def test_a_disk_that_cannot_take_what_the_site_asks_for_does_not_end_the_uplink(
    tmp_path: Path, site: OneSite
) -> None:
    refusals = [StorageFailed("no space left", condition=ConditionCode.DISK_FULL)] * 2
    answered: list[RawRequest] = []

    def answer(request: RawRequest) -> None:
        if refusals:
            raise refusals.pop()
        answered.append(request)

    async with sending(tmp_path / "o", site, answer) as sender:
        await sender.until_state(SiteState.CONNECTED)
        span = {"start": "2026-01-02T00:00:00Z", "end": "2026-01-02T01:00:00Z"}
        asked = {"signals": ["p1.flow"], **span}
        assert site.process.http.post(f"/api/v1/gateways/{NAME}/requests", json=asked).status_code == 201
        await until(lambda: ConditionCode.DISK_FULL in sender.codes)
        await until(lambda: bool(answered))
        sender.pack(1)
        await sender.until_delivered()


async def test_a_site_that_keeps_no_signal_table_is_told_and_does_not_end_the_uplink(
    tmp_path: Path, site: OneSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgets, send_parcel = True, SiteLink.send_parcel

    async def forgotten(link: SiteLink, parcel: Parcel) -> Delivery:
        if forgets:
            raise TableUnknown("signal table unknown")
        return await send_parcel(link, parcel)

    monkeypatch.setattr(SiteLink, "send_parcel", forgotten)
    async with sending(tmp_path / "o", site) as sender:
        sender.pack(5)
        await until(lambda: ConditionCode.SITE_REFUSES in sender.codes)
        forgets = False
        await sender.until_delivered()
        await until(lambda: ConditionCode.SITE_REFUSES not in sender.codes)


async def test_a_connection_that_the_site_let_go_of_is_no_absence(tmp_path: Path, site: OneSite) -> None:
    beats = 0

    def end_connections(status: GatewayStatus) -> GatewayStatus:
        """Under the hands of the heartbeat that is about to be written; who connects anew is let in."""
        nonlocal beats
        beats += 1
        for connection in tuple(sender.cable._tasks):
            asyncio.get_running_loop().call_soon(connection.cancel)
        return status

    async with sending(tmp_path / "o", site, status=end_connections) as sender:
        await sender.until_state(SiteState.CONNECTED)
        since = sender.uplink.status().state_since
        await until(lambda: beats > 6)
        assert sender.cable.connections > 5
        status = sender.uplink.status()
        assert (status.state, status.state_since) == (SiteState.CONNECTED, since)


async def test_who_waits_sends_as_far_as_it_may_and_live_once_it_is_its_turn(tmp_path: Path, site: OneSite) -> None:
    allowed = 0
    async with sending(tmp_path / "o", site, send_up_to=lambda: allowed) as sender:
        await sender.until_state(SiteState.CONNECTED)
        for _ in range(10):
            sender.pack(2)
        await asyncio.sleep(0.5)
        assert sender.outbox.waiting().parcels == 10
        assert sender.uplink.status().state is SiteState.CONNECTED  # what is not its to send is no backlog of its
        allowed = 4
        await until(lambda: sender.outbox.waiting(4).parcels == 0, 10)
        await asyncio.sleep(0.5)
        assert sender.outbox.waiting().parcels == 6
        allowed = EVERYTHING
        sender.pack(1)
        await sender.until_delivered()
        assert sender.outbox.sums().acknowledged == 21


async def test_what_comes_too_early_for_the_site_waits_and_holds_up_nothing(tmp_path: Path, site: OneSite) -> None:
    async with sending(tmp_path / "o", site) as sender:
        await sender.until_state(SiteState.CONNECTED)
        before = site.count("p1.flow")
        sender.pack(5, ahead_s=302)  # by the site's clock it is of the future for two seconds more
        sender.pack(5, ahead_s=3_600)
        sender.pack(5)
        await until(lambda: sender.outbox.sums().acknowledged == 5, 10)
        assert ConditionCode.CLOCK_WRONG in sender.codes
        await until(lambda: sender.outbox.sums().acknowledged == 10, 30)
        sums = sender.outbox.sums()
        assert (sums.pending, sums.refused, sums.adds_up) == (5, 0, True)
    assert site.count("p1.flow") - before == 10
