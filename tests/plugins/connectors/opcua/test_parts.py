"""Elements of arrays and fields of structures as signals of their own."""

from types import SimpleNamespace

import numpy as np
import pytest
from asyncua import ua
from hypothesis import given
from hypothesis import strategies as st

from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import ConfigurationError
from forewarn.plugins.connectors.opcua import CONNECTOR
from forewarn.plugins.connectors.opcua.address import Address, NoSuchPart, parse_address, pick
from tests.peers.processes import free_port, node_peer, python_peer
from tests.plugins.connectors.recording import RecordingSink, eventually, request_for, running, signals_at

BAD_TYPE_MISMATCH = 0x80740000


def address_of(text: str) -> Address:
    return parse_address(signals_at(text)[0])


def test_a_part_is_told_from_outside_in():
    node = ua.NodeId.from_string("ns=2;s=a;b[3].c")
    assert address_of("part=[3];ns=2;s=a;b[3].c") == Address(node, (3,))
    assert address_of("part=sub.speed[0][12].x;ns=2;s=a;b[3].c") == Address(node, ("sub", "speed", 0, 12, "x"))
    assert address_of("ns=2;s=a;b[3].c") == Address(node)
    assert address_of("ns=2;s=a;b[3].c").part == ()
    assert not address_of("part=[3];ns=2;s=a").needs_types
    assert address_of("part=x;ns=2;s=a").needs_types


@pytest.mark.parametrize("text", ["part=[3]", "part=[x];ns=2;s=a", "part=a..b;ns=2;s=a", "part=[3;ns=2;s=a", "", "x"])
def test_nonsense_is_refused_with_an_example(text):
    with pytest.raises(ConfigurationError, match="write it like"):
        address_of(text)


@given(st.text(max_size=30))
def test_any_text_is_an_address_or_a_configuration_error(text):
    try:
        address_of(text)
    except ConfigurationError:
        return


def test_what_is_not_there_is_named():
    value = SimpleNamespace(speed=[1.0, True], name="x")
    assert (pick(value, ("speed", 0)), pick(value, ("speed", 1)), pick(7, ())) == (1.0, 1.0, 7.0)
    for part, why in ((("speed", 2), "it has 2 elements"), (("name",), "not a number"), (("nix",), "no such field")):
        with pytest.raises(NoSuchPart, match=why):
            pick(value, part)
    with pytest.raises(NoSuchPart, match="no such field"):
        pick(value, ("__class__",))
    with pytest.raises(NoSuchPart, match="no elements"):
        pick(3.0, (0,))


async def test_arrays_and_the_standards_structures_of_node_opcua(tmp_path):
    with node_peer("opcua_server.js", str(tmp_path), port=free_port()) as peer:
        settings = {"url": f"opc.tcp://127.0.0.1:{peer.port}/forewarn", "publishing_interval_ms": 50}
        signals = signals_at(
            "part=[0];ns=1;s=pump.array",
            "part=[3];ns=1;s=pump.array",
            "part=EURange.High;ns=1;s=pump.axis",
            "part=AxisSteps[1];ns=1;s=pump.axis",
            "part=[4];ns=1;s=pump.array",
            "part=Nobody;ns=1;s=pump.axis",
            "ns=1;s=pump.array",
            "ns=1;s=pump.speed",
        )
        sink = RecordingSink()
        async with running(CONNECTOR, request_for(CONNECTOR, settings, signals), sink) as task:
            await eventually(lambda: min(len(sink.values(key)) for key in (1, 2, 3, 4, 8)) >= 10, "parts", task)
            await eventually(lambda: len(sink.rejections) >= 2, "refusals", task)
    steps = np.array(sink.values(1)[:10])
    assert sink.values(2)[:10] == (steps + 0.75).tolist()
    assert sink.values(3)[:10] == sink.values(4)[:10]
    assert (np.diff(steps) >= 1).all()  # a busy server samples it late, and leaves steps out
    for key in (5, 6, 7):  # told once, shown as bad once, whatever else flows
        assert (len(sink.values(key)), sink.qualities(key)) == (1, {BAD_TYPE_MISMATCH})
    assert set(sink.conditions) == {ConditionCode.WRONG_TYPE}
    told = " ".join(sink.rejections)
    assert all(text in told for text in ("it has 4 elements", "AxisSteps", "Double array"))


async def test_structures_of_types_that_only_the_server_knows():
    with python_peer("asyncua_server.py", port=free_port()) as peer:
        settings = {"url": f"opc.tcp://127.0.0.1:{peer.port}/forewarn", "publishing_interval_ms": 50}
        signals = signals_at(
            "part=Front.Speed;ns=2;s=pump.machine",
            "part=Front.Counts[1];ns=2;s=pump.machine",
            "part=Level;ns=2;s=pump.machine",
            "part=Back;ns=2;s=pump.machine",
        )
        sink = RecordingSink()
        async with running(CONNECTOR, request_for(CONNECTOR, settings, signals), sink) as task:
            await eventually(lambda: min(len(sink.values(key)) for key in (1, 2, 3)) >= 5, "fields", task)
            await eventually(lambda: bool(sink.rejections), "the field that is not there", task)
    speed = np.array(sink.values(1)[:5])
    assert sink.values(2)[:5] == (2 * speed).tolist()
    assert sink.values(3)[:5] == (-speed).tolist()
    assert "there are: Front, Level" in sink.rejections[0]
