"""What was missed is read from a real server's history: nothing lost, nothing doubled, the live values beside it."""

import asyncio
import struct
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary
from hypothesis import given
from hypothesis import strategies as st

from forewarn.plugins.batch_logs.sqlite_spool import BATCH_LOG
from forewarn.plugins.connectors.opcua.feed import to_microseconds
from forewarn.plugins.connectors.opcua.history import decode_history
from tests.peers.processes import free_port, node_peer
from tests.plugins.connectors.opcua.cable import Cable
from tests.plugins.connectors.opcua.gateway import Stored, collecting, gateway_process
from tests.plugins.connectors.recording import eventually

RECORDED, SPEED = "ns=1;s=pump.recorded", "ns=1;s=pump.speed"
# Sampled faster than it counts, so that what comes live has no holes of its own.
FAST = {
    "publishing_interval_ms": 50,
    "sampling_interval_ms": 0,
    "queue_size": 100,
    "keepalive_s": 0.3,
    "history": {"page": 50},
}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OUTAGES = (
    2.0,
    pytest.param(60.0, marks=pytest.mark.slow),
    pytest.param(600.0, marks=(pytest.mark.nightly, pytest.mark.timeout(900))),
)


def without_holes(stored: Stored, key: int, *, once: bool = True) -> bool:
    """A counter: each number from the first to the last, once."""
    values = stored.values(key) if once else sorted(set(stored.values(key)))
    return bool(values) and values == list(np.arange(values[0], values[-1] + 1))


async def closed(stored, key: int, outage_s: float) -> None:
    limit_s = 90.0 + outage_s / 4  # fifty values were missed each second, in pages of fifty
    await eventually(lambda: without_holes(stored(), key), "the hole is filled", limit_s=limit_s)
    times = stored().times(key)
    assert len(times) == len(set(times)), "a reading is there twice"


@pytest.fixture(scope="module")
def recorder(tmp_path_factory):
    """A server that keeps its history."""
    with node_peer("opcua_server.js", str(tmp_path_factory.mktemp("pki")), "history", port=free_port()) as peer:
        yield peer


@pytest.mark.parametrize("outage_s", OUTAGES)
async def test_kill_9_of_the_gateway(recorder, tmp_path, outage_s):
    settings = {"url": f"opc.tcp://127.0.0.1:{recorder.port}/forewarn", **FAST}
    process = gateway_process(tmp_path / "log", settings, [RECORDED, SPEED])
    await eventually((tmp_path / "log.filled").exists, "values before the kill")
    process.kill()
    process.wait()
    log = BATCH_LOG(tmp_path / "log")
    before = Stored(log).values(1)
    log.close()
    await asyncio.sleep(outage_s)
    async with collecting(tmp_path / "log", settings, [RECORDED, SPEED]) as gateway:
        await eventually(lambda: gateway.stored.values(1)[-1] > before[-1] + 20 * outage_s, "live values again")
        await closed(lambda: gateway.stored, 1, outage_s)
        assert len(gateway.stored.values(1)) > len(before) + 20 * outage_s


async def test_kill_9_in_the_middle_of_filling(recorder, tmp_path):
    """Filled slowly, killed meanwhile: live readings are newer than the hole, which is remembered all the same.
    What was put after the last note is put again: the same readings, by signal and source time."""
    history = {"folder": str(tmp_path / "owed"), "page": 10, "values_per_s": 20}
    settings = {"url": f"opc.tcp://127.0.0.1:{recorder.port}/forewarn", **FAST, "history": history}
    async with collecting(tmp_path / "log", settings, [RECORDED]) as gateway:
        await eventually(lambda: len(gateway.stored.values(1)) > 20, "values")

    def noted() -> str:
        return "".join(file.read_text() for file in (tmp_path / "owed").glob("*.json"))

    await asyncio.sleep(3)  # some hundred and fifty values are missed: seven seconds of filling
    process = gateway_process(tmp_path / "log", settings, [RECORDED])
    await eventually(lambda: bool(noted()), "the hole is noted")
    first = noted()
    await eventually(lambda: noted() != first, "a part of it is filled")
    process.kill()
    process.wait()
    log = BATCH_LOG(tmp_path / "log")
    torn = Stored(log)
    log.close()
    assert not without_holes(torn, 1), "it was filled before the kill: nothing is proven"
    settings["history"] = {"folder": history["folder"]}
    async with collecting(tmp_path / "log", settings, [RECORDED]) as gateway:
        last = torn.values(1)[-1]
        await eventually(lambda: gateway.stored.values(1)[-1] > last + 20, "live values again")
        await eventually(lambda: without_holes(gateway.stored, 1, once=False), "the hole is filled")
        await eventually(lambda: noted() == "{}", "nothing is owed any more")
        assert len(gateway.stored.times(1)) < 1.5 * len(set(gateway.stored.times(1))), "much was read again"


@pytest.mark.parametrize("outage_s", OUTAGES)
async def test_a_cut_cable(recorder, tmp_path, outage_s):
    async with Cable(recorder.port) as cable:
        settings = {"url": f"opc.tcp://127.0.0.1:{cable.port}/forewarn", "timeout_s": 1.0, **FAST}
        async with collecting(tmp_path / "log", settings, [RECORDED, SPEED]) as gateway:
            await eventually(lambda: len(gateway.stored.values(1)) > 20, "values")
            cable.cut()
            await asyncio.sleep(outage_s)
            last = gateway.stored.values(1)[-1]
            cable.mend()
            await eventually(lambda: gateway.stored.values(1)[-1] > last + 20 * outage_s, "values again")
            await closed(lambda: gateway.stored, 1, outage_s)


async def test_a_server_without_history_is_only_asked_for_live_values(tmp_path):
    with node_peer("opcua_server.js", str(tmp_path / "pki"), port=free_port()) as peer:
        async with Cable(peer.port) as cable:
            settings = {"url": f"opc.tcp://127.0.0.1:{cable.port}/forewarn", "timeout_s": 1.0, **FAST}
            async with collecting(tmp_path / "log", settings, [SPEED]) as gateway:
                await eventually(lambda: len(gateway.stored.values(1)) > 5, "values")
                cable.cut()
                await asyncio.sleep(1)
                count = len(gateway.stored.values(1))
                cable.mend()
                await eventually(lambda: len(gateway.stored.values(1)) > count + 5, "values again")
                values = gateway.stored.values(1)
                assert len(values) == len(set(values))


def test_history_as_the_library_writes_it():
    values = [
        ua.DataValue(
            ua.Variant(float(i), ua.VariantType.Double),
            ua.StatusCode(ua.UInt32(0x40000000 if i % 2 else 0)),
            SourceTimestamp=EPOCH + timedelta(seconds=i),
        )
        for i in range(5)
    ]
    pages = decode_history(encode([(0, b"more", values), (0x80340000, b"", None)]))
    assert [(page.status, page.continuation) for page in pages] == [(0, b"more"), (0x80340000, b"")]
    items = pages[0].items
    assert items is not None
    assert items.value.tolist() == [0, 1, 2, 3, 4]
    assert items.status.tolist() == [0, 0x40000000, 0, 0x40000000, 0]
    assert to_microseconds(items.source, items.server, 0).tolist() == [i * 1_000_000 for i in range(5)]
    assert pages[1].items is None


@given(
    st.lists(
        st.lists(
            st.one_of(
                st.floats().map(lambda v: ua.Variant(v, ua.VariantType.Double)),
                st.integers(-5, 5).map(lambda v: ua.Variant(v, ua.VariantType.Int16)),
                st.text(max_size=3).map(lambda v: ua.Variant(v, ua.VariantType.String)),
            ),
            max_size=5,
        ),
        max_size=3,
    )
)
def test_history_of_any_kind_loses_no_value(nodes):
    results = [(0, b"", [ua.DataValue(value) for value in values]) for values in nodes]
    pages = decode_history(encode(results))
    found = [len(page.items.handle) if page.items is not None else len(page.values) for page in pages]
    assert found == [len(values) for values in nodes]


@given(st.integers(0, 400))
def test_history_cut_short_never_gives_readings(length):
    values = [ua.DataValue(ua.Variant(1.5, ua.VariantType.Double)) for _ in range(20)]
    data = encode([(0, b"", values)])
    pages = []
    with suppress(ua.UaError, ValueError, TypeError, IndexError, AttributeError, struct.error):
        pages = decode_history(data[: min(length, len(data) - 5)])
    assert all(page.items is None and len(page.values) in (0, 20) for page in pages)


def encode(results: list[tuple[int, bytes, list[ua.DataValue] | None]]) -> bytes:
    response = ua.HistoryReadResponse()
    response.Results = []
    for status, continuation, values in results:
        result = ua.HistoryReadResult()
        result.StatusCode = ua.StatusCode(ua.UInt32(status))
        result.ContinuationPoint = continuation
        result.HistoryData = None if values is None else ua.HistoryData(DataValues=values)
        response.Results.append(result)
    return bytes(struct_to_binary(response))
