"""The live feed, from a posted reading to the bytes of a listener."""

import asyncio
import time
from collections.abc import Iterator

import numpy as np
import pytest

from forewarn.api.live import Filter, Listener, LiveBroadcaster
from forewarn.domain.readings import ReadingBatch
from forewarn.policies import alarm_lifecycle
from tests.api.event_stream import EventStream
from tests.api.site import Site, open_parts, serving


@pytest.fixture
def open_stream(site: Site) -> Iterator[list[EventStream]]:
    streams: list[EventStream] = []
    yield streams
    for stream in streams:
        stream.close()


def now_ms() -> int:
    return int(time.time() * 1000)


def test_readings_arrive_as_columns(site: Site, open_stream: list[EventStream]) -> None:
    stream = EventStream(site.url, site.opened.admin.token, "?signals=p1.vibration,p1.speed")
    open_stream.append(stream)
    assert stream.status == 200
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert "content-encoding" not in stream.headers
    hello = stream.next()
    assert hello is not None
    assert hello.name == "hello"
    assert abs(hello.data["now_ms"] - now_ms()) < 60_000
    at = now_ms()
    rows = [
        {"sensor_id": "p1.temperature", "timestamp": at, "value": 1},
        {"sensor_id": "p1.vibration", "timestamp": at, "value": 2.5},
        {"sensor_id": "p1.speed", "timestamp": at, "value": None, "quality": "bad"},
    ]
    site.post(rows)
    event = stream.until("readings")
    assert event.data == {
        "offset": int(event.id),
        "signal": ["p1.vibration", "p1.speed"],
        "time_ms": [at, at],
        "value": [2.5, None],
        "quality": [0, 0x8000_0000],
    }
    assert int(event.id) > hello.data["offset"]


def test_an_asset_filter_and_no_filter(site: Site, open_stream: list[EventStream]) -> None:
    one, every = (
        EventStream(site.url, site.opened.admin.token, "?asset_id=p2"),
        EventStream(site.url, site.opened.admin.token),
    )
    open_stream.extend((one, every))
    one.until("hello")
    every.until("hello")
    site.post([{"sensor_id": s, "timestamp": now_ms(), "value": 1} for s in ("p1.speed", "p2.s0")])
    assert one.until("readings").data["signal"] == ["p2.s0"]
    assert set(every.until("readings").data["signal"]) == {"p1.speed", "p2.s0"}


def test_a_reconnecting_client_learns_what_it_missed(site: Site, open_stream: list[EventStream]) -> None:
    site.post([{"sensor_id": "p1.speed", "timestamp": now_ms(), "value": 1}])
    site.settle()
    stream = EventStream(site.url, site.opened.admin.token, last_event_id="0")
    open_stream.append(stream)
    hello = stream.until("hello").data
    assert hello["missed"] == hello["offset"] > 0


@pytest.mark.parametrize("query", ["?signals=nobody", "?asset_id=nobody"])
def test_unknown_filters(site: Site, query: str) -> None:
    stream = EventStream(site.url, site.opened.admin.token, query)
    assert stream.status == 404
    stream.close()


def test_anomalies_and_alarms_arrive_with_their_ids(site: Site, open_stream: list[EventStream]) -> None:
    stream = EventStream(site.url, site.opened.admin.token, "?asset_id=p1")
    open_stream.append(stream)
    stream.until("hello")
    found = {"sensor_id": "p1.vibration", "timestamp": now_ms(), "value": 9, "anomaly_score": 0.9, "reason": "spike"}
    site.post([], anomalies=[found])
    anomaly = stream.until("anomaly").data
    listed = site.client.get("/api/v1/anomalies", params={"signal_id": "p1.vibration"}).json()["anomalies"][0]
    assert anomaly == listed
    site.parts.alarms.change(("p1", "vib-high"), lambda r, s: alarm_lifecycle.raised(r, s, 1_000, 9.0))
    body = {"ids": ["p1/vib-high"], "action": "acknowledge"}
    site.client.post("/api/v1/alarms/actions", json=body)
    told = stream.until("alarm").data
    assert (told["event"]["kind"], told["event"]["by"], told["alarm"]["state"]) == (
        *("acknowledged", "anna"),
        "acknowledged",
    )
    assert told["alarm"] == site.client.get("/api/v1/alarms").json()["alarms"][0]


def test_shutting_down_ends_the_streams(tmp_path_factory: pytest.TempPathFactory) -> None:
    with open_parts(tmp_path_factory.mktemp("closing")) as parts, serving(parts) as site:
        stream = EventStream(site.url, site.opened.admin.token)
        stream.until("hello")
    assert stream.next() is None
    stream.close()


def test_a_listener_that_leaves_is_forgotten(site: Site) -> None:
    before = site.parts.feed.listeners
    stream = EventStream(site.url, site.opened.admin.token)
    stream.until("hello")
    assert site.parts.feed.listeners == before + 1
    stream.close()
    until = time.monotonic() + 60
    while site.parts.feed.listeners > before and time.monotonic() < until:
        time.sleep(0.02)
    assert site.parts.feed.listeners == before


def test_a_slow_listener_is_told_what_it_lost() -> None:
    async def overflow() -> tuple[bytes, bytes]:
        listener = Listener(Filter())
        for i in range(1_000):
            listener.offer(b"event: readings\ndata: %d\n\n" % i)
        return listener.take(), listener.take()

    taken, nothing = asyncio.run(overflow())
    assert taken.startswith(b'event: lost\ndata: {"dropped":800}')
    assert taken.endswith(b"data: 999\n\n")
    assert taken.count(b"event: readings") == 200
    assert nothing == b""


def test_publishing_never_raises_before_or_after_the_server() -> None:
    feed = LiveBroadcaster()
    one = ReadingBatch(
        np.ones(1, np.int32), np.ones(1, np.int64), np.ones(1), np.zeros(1, np.uint32), gateway="g", sequence=1
    )
    feed.publish(1, one, (), ())
    loop = asyncio.new_event_loop()
    feed.bind(loop)
    loop.close()
    feed.close()
    feed.publish(2, one, (), ())
    assert feed.offset == 2


def test_every_reading_reaches_every_listener(site: Site, open_stream: list[EventStream]) -> None:
    streams = [EventStream(site.url, site.opened.admin.token, "?signals=p2.s7") for _ in range(5)]
    open_stream.extend(streams)
    for stream in streams:
        stream.until("hello")
    start = now_ms() - 100_000
    for k in range(50):
        rows = [{"sensor_id": "p2.s7", "timestamp": start + k * 100 + i, "value": k * 100 + i} for i in range(100)]
        site.post(rows, gateway="many")
    for stream in streams:
        seen: list[float] = []
        while len(seen) < 5_000:
            seen.extend(stream.until("readings").data["value"])
        assert seen == list(range(5_000))
