"""The uplink outlives whatever a site, or something that stands in its place, answers."""

from pathlib import Path

import pytest

from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import StorageFailed
from forewarn.domain.gateways import SiteState
from forewarn.gateway.uplink.raw_requests import RawRequest
from forewarn.kit.clock import now_us
from tests.gateway.uplink.odd_site import ROWS, OddSite, sending

UNKNOWN = (409, {"code": "signal_table_unknown"})
REQUEST = {"id": "r1", "signals": ["p1.flow"], "start": 0, "end": 1}


async def test_a_table_that_the_site_forgets_at_once_is_sent_again(tmp_path: Path) -> None:
    site = OddSite()
    left = [UNKNOWN] * 6
    site.parcel = lambda number: left.pop() if left else site.takes(number)
    async with sending(tmp_path, site) as it:
        it.pack(3)
        await it.until(lambda: it.outbox.waiting().parcels == 0)
        assert sorted(site.taken) == [1, 2, 3]


@pytest.mark.parametrize(
    "said",
    [
        {"requests": 5},
        {"requests": [[1], "x", {"id": "r", "signals": [{}], "start": 0, "end": 1}]},
        {"requests": [{**REQUEST, "start": 10**30}]},
        {"requests": [{**REQUEST, "signals": "p1.flow"}]},
        {"time": 10**30},
        {"time": "now"},
        [],
    ],
)
async def test_a_nonsense_answer_to_a_heartbeat_ends_nothing(tmp_path: Path, said: object) -> None:
    site = OddSite()
    asked: list[RawRequest] = []

    def look(request: RawRequest) -> None:
        for name in request.signals:
            assert isinstance(name, str)
        assert -(2**63) <= request.start < 2**63
        asked.append(request)

    async with sending(tmp_path, site, answer=look) as it:
        site.beat = lambda: (200, said)
        await it.until(lambda: len(site.beats) > 5)
        site.beat = lambda: (200, {"time": now_us()})
        it.pack()
        await it.until(lambda: it.outbox.waiting().parcels == 0)


@pytest.mark.parametrize("said", [{"unknown": None}, {"unknown": 7}, {}, []])
async def test_a_nonsense_answer_to_the_table_ends_nothing(tmp_path: Path, said: object) -> None:
    site = OddSite()
    site.table = lambda: (200, said)
    async with sending(tmp_path, site) as it:
        it.pack()
        await it.until(lambda: len(site.beats) > 4)
        site.table = lambda: (200, {"unknown": []})
        await it.until(lambda: it.outbox.waiting().parcels == 0)


@pytest.mark.parametrize(
    "raw",
    [
        b"\x00\xff\x16\x03\x01garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: zstd\r\nContent-Length: 4\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\n{}",
        b"HTTP/1.1 302 Found\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: ftp://x/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nSet-Cookie: \xff\xfe=;;;\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 429 Odd\r\nRetry-After: nan\r\nContent-Length: 2\r\n\r\n{}",
    ],
)
@pytest.mark.parametrize("where", ["beat", "parcel"])
async def test_bytes_that_are_no_answer_end_nothing(tmp_path: Path, raw: bytes, where: str) -> None:
    site = OddSite()
    well = getattr(site, where)
    left = [raw] * 3
    setattr(site, where, lambda *about: left.pop() if left else well(*about))
    async with sending(tmp_path, site) as it:
        it.pack(4)
        await it.until(lambda: it.outbox.waiting().parcels == 0)
        assert it.outbox.sums().acknowledged == 4 * ROWS


async def test_an_answer_that_comes_in_pieces_is_read_to_its_end(tmp_path: Path) -> None:
    site = OddSite()
    site.piece_bytes, site.piece_s = 7, 0.02
    left = [UNKNOWN] * 1
    site.parcel = lambda number: left.pop() if left else site.takes(number)
    site.table = lambda: (200, {"unknown": ["p1.flow"]})
    async with sending(tmp_path, site) as it:
        it.pack()
        await it.until(lambda: it.outbox.waiting().parcels == 0)
        assert ConditionCode.SITE_REFUSES not in {c.code for c in it.conditions.now()}
        assert ConditionCode.READINGS_REJECTED in {c.code for c in it.conditions.now()}
        assert it.uplink.status().clock_offset_s is not None


async def test_an_answer_that_never_ends_holds_nothing_up(tmp_path: Path) -> None:
    site = OddSite()
    async with sending(tmp_path, site) as it:
        await it.until(lambda: it.uplink.status().state is SiteState.CONNECTED)
        site.piece_bytes, site.piece_s = 1, 0.5
        it.pack()
        await it.until(lambda: it.uplink.status().state is SiteState.AWAY)
        site.piece_bytes = 1 << 20
        await it.until(lambda: it.outbox.waiting().parcels == 0)


async def test_a_request_that_cannot_be_answered_now_is_answered_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forewarn.gateway.uplink.uplink._ASKED_AGAIN_S", 0.1)
    site = OddSite()
    site.beat = lambda: (200, {"time": now_us(), "requests": [REQUEST]})
    left = [TypeError(), StorageFailed("disk is full", condition=ConditionCode.DISK_FULL)]

    def answer(request: RawRequest) -> None:
        if left:
            raise left.pop()

    async with sending(tmp_path, site, answer=answer) as it:
        it.pack()
        await it.until(lambda: it.outbox.waiting().parcels == 0)
        await it.until(lambda: any(beat.get("done") for beat in site.beats))
        assert ConditionCode.DISK_FULL in {c.code for c in it.conditions.now()}


async def test_a_status_that_cannot_be_read_off_the_disk_ends_nothing(tmp_path: Path) -> None:
    site = OddSite()
    left = [StorageFailed("unreadable"), OSError(5, "Input/output error")]

    def refuse() -> None:
        if left:
            raise left.pop()

    async with sending(tmp_path, site, refuse_status=refuse) as it:
        it.pack()
        await it.until(lambda: it.outbox.waiting().parcels == 0)


async def test_parcels_that_the_site_refuses_do_not_stand_in_the_way_of_others(tmp_path: Path) -> None:
    site = OddSite()
    site.parcel = lambda number: (413, {}) if number <= 600 or 1_000 < number <= 1_300 else site.takes(number)
    async with sending(tmp_path, site) as it:
        it.pack(700)
        await it.until(lambda: it.outbox.waiting().parcels == 600)
        await it.until(lambda: it.uplink.status().state is SiteState.CATCHING_UP)
        it.pack(700)
        await it.until(lambda: it.outbox.waiting().parcels == 900)


async def test_a_device_whose_clock_is_ahead_covers_nothing_that_is_still_to_come(tmp_path: Path) -> None:
    async with sending(tmp_path, OddSite()) as it:
        it.pack(ahead_us=240_000_000)
        await it.until(lambda: it.outbox.waiting().parcels == 0)
        await it.until(it.uplink.covered_until)
        assert it.uplink.covered_until() <= now_us()
