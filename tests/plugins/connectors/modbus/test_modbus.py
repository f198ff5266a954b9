"""The Modbus connector against npm's modbus-serial, pymodbus' own server, and a gateway with a dead unit."""

import asyncio

import numpy as np
import pytest

from forewarn.domain.errors import SourceUnreachable
from forewarn.domain.status import BAD_NO_COMMUNICATION
from forewarn.kit.clock import SECOND, now_us
from forewarn.plugins.connectors.modbus import CONNECTOR
from forewarn.plugins.connectors.modbus.job import BAD_CONFIGURATION_ERROR
from forewarn.plugins.connectors.modbus.poller import BAD_TIMEOUT
from tests.peers.processes import Peer, free_port, node_peer, python_peer
from tests.plugins.connectors.recording import RecordingSink, eventually, request_for, running, signals_at


@pytest.fixture(scope="module")
def device():
    with node_peer("modbus_server.js", port=free_port()) as peer:
        yield peer


def settings_for(peer: Peer, **more: object) -> dict[str, object]:
    return {"host": "127.0.0.1", "port": peer.port, "poll_interval_s": 0.05, "timeout_s": 2.0, **more}


async def test_registers_and_bits_of_another_maker(device):
    signals = signals_at(
        "holding:5:uint16",
        "input:400:uint32",
        "holding:401:uint32:CDAB",
        "coil:3",
        "coil:4",
        "discrete:1999",
        "holding:7:uint16:unit=2",
        "holding:990:int16:scale=0.1:offset=1",
    )
    sink = RecordingSink()
    before = now_us()
    async with running(CONNECTOR, request_for(CONNECTOR, settings_for(device), signals), sink) as task:
        await eventually(lambda: len(sink.values(1)) >= 3, "three polls", task)
    expected = {
        1: 5.0,
        2: 400 * 65536 + 401,
        3: 402 * 65536 + 401,
        4: 1.0,
        5: 0.0,
        6: 0.0,
        7: 10007.0,
        8: pytest.approx(100.0),
    }
    assert {key: sink.values(key)[0] for key in expected} == expected
    assert {quality for _, _, _, quality in sink.rows} == {0}
    assert before <= sink.times(1)[0] <= now_us()
    assert sink.connects == 1


async def test_a_refused_register_marks_only_its_own_signal(device):
    """Registers from 1000 on do not exist there; the block that touches them is split until its neighbours flow."""
    signals = signals_at("holding:996:uint16", "holding:998:uint16", "holding:1001:uint16", "input:1:uint16")
    sink = RecordingSink()
    async with running(CONNECTOR, request_for(CONNECTOR, settings_for(device), signals), sink) as task:
        await eventually(lambda: 998.0 in sink.values(2) and sink.rejections, "neighbours flow", task)
    assert 996.0 in sink.values(1)
    assert sink.qualities(4) == {0}
    assert sink.qualities(3) == {BAD_CONFIGURATION_ERROR}
    assert np.isnan(sink.values(3)).all()
    assert len(sink.rejections) == 1
    assert "pump.s3" in sink.rejections[0]
    assert "illegal data address" in sink.rejections[0]


async def test_a_gateway_that_cannot_reach_one_unit(device):
    signals = signals_at("holding:1:uint16", "holding:1:uint16:unit=9")
    sink = RecordingSink()
    async with running(CONNECTOR, request_for(CONNECTOR, settings_for(device), signals), sink) as task:
        await eventually(lambda: len(sink.values(1)) >= 3, "polls", task)
    assert sink.qualities(1) == {0}
    assert sink.qualities(2) == {BAD_NO_COMMUNICATION}


async def test_a_silent_unit_does_not_silence_the_others():
    with python_peer("modbus_slow_unit.py", port=free_port()) as peer:
        signals = signals_at("holding:11:uint16", "holding:12:uint16:unit=7", "holding:300:uint16:unit=7")
        sink = RecordingSink()
        request = request_for(CONNECTOR, settings_for(peer, timeout_s=0.3), signals)
        async with running(CONNECTOR, request, sink) as task:
            await eventually(lambda: len(sink.values(1)) >= 3, "polls", task)
        assert set(sink.values(1)) == {11.0}
        assert sink.qualities(2) == sink.qualities(3) == {BAD_TIMEOUT}


async def test_a_device_that_accepts_and_says_nothing_is_unreachable():
    with python_peer("modbus_slow_unit.py", port=free_port()) as peer:
        sink = RecordingSink()
        request = request_for(CONNECTOR, settings_for(peer, timeout_s=0.3, unit=7), signals_at("holding:1:uint16"))
        with pytest.raises(SourceUnreachable, match="answers nothing"):
            await asyncio.wait_for(CONNECTOR.run(request, sink), 60)
        assert (sink.connects, sink.rows) == (0, [])


@pytest.mark.parametrize("how", ["kill", "freeze"])
async def test_a_lost_device_is_noticed(how):
    with node_peer("modbus_server.js", port=free_port()) as peer:
        sink = RecordingSink()
        request = request_for(CONNECTOR, settings_for(peer, timeout_s=0.5), signals_at("holding:1:uint16"))
        task = asyncio.create_task(CONNECTOR.run(request, sink))
        await eventually(lambda: bool(sink.values(1)), "values", task)
        getattr(peer, how)()
        with pytest.raises(SourceUnreachable):
            await asyncio.wait_for(task, 60)
        if how == "freeze":
            peer.thaw()


async def test_pymodbus_server():
    with python_peer("pymodbus_server.py", port=free_port()) as peer:
        signals = signals_at(
            "holding:10:float32", "holding:12:float32:CDAB", "holding:14:float64", "holding:18:float32"
        )
        sink = RecordingSink()
        async with running(CONNECTOR, request_for(CONNECTOR, settings_for(peer), signals), sink) as task:
            await eventually(lambda: len(sink.values(1)) >= 2, "polls", task)
        assert [sink.values(key)[0] for key in (1, 2, 3)] == [12.5, -2.25, 3.141592653589793]
        assert sink.qualities(4) == {0x809B0000}  # the device holds a NaN: it has nothing to say
        assert abs(sink.times(1)[0] - now_us()) < 60 * SECOND
