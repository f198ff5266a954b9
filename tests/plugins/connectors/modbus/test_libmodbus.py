"""The Modbus connector against libmodbus, over TCP, over a serial cable, and over an RS-485 line of several units."""

import asyncio
import re
import time
import zlib

import pytest

from forewarn.domain.assets import SourceConfig
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import ConfigurationError, SourceUnreachable
from forewarn.domain.sources import SourceState
from forewarn.domain.status import BAD_NO_COMMUNICATION
from forewarn.gateway.runner import SourceRunner
from forewarn.kit.retry import Backoff
from forewarn.plugins.connectors.modbus import CONNECTOR
from forewarn.plugins.connectors.modbus.job import BAD_CONFIGURATION_ERROR, BAD_DEVICE_FAILURE, BAD_NO_DATA
from forewarn.plugins.connectors.modbus.poller import BAD_TIMEOUT
from tests.gateway.scripted import MemoryDoor, Started
from tests.peers.libmodbus import libmodbus_rtu, libmodbus_tcp, serial_cable, serial_line
from tests.peers.processes import Peer, free_port
from tests.plugins.connectors.recording import RecordingSink, eventually, request_for, running, signals_at


def tcp(peer: Peer, **more: object) -> dict[str, object]:
    return {"host": "127.0.0.1", "port": peer.port, "poll_interval_s": 0.05, "timeout_s": 2.0, **more}


async def test_all_tables_types_and_orders():
    contents = {
        "holding": {"0": [0x4148, 0, 0, 0x4148, 0x4841, 0, 0, 0x4841], "20": [0x1234, 0x5678, 0x8000]},
        "input": {"0": [0x4009, 0x21FB, 0x5444, 0x2D18, 0xFFFF, 0xFFFE]},
    }
    with libmodbus_tcp(free_port(), **contents) as peer:
        signals = signals_at(
            "holding:0:float32",
            "40003:float32:CDAB",
            "holding:4:float32:BADC",
            "400007:float32:DCBA",
            "holding:20:bcd32",
            "holding:22:bit15",
            "holding:22:bit0",
            "input:0:float64",
            "30005:int32",
            "00004",
            "10005",
        )
        sink = RecordingSink()
        async with running(CONNECTOR, request_for(CONNECTOR, tcp(peer), signals), sink) as task:
            await eventually(lambda: len(sink.values(1)) >= 3, "three polls", task)
    read = [sink.values(key)[0] for key in range(1, 12)]
    assert read == [12.5, 12.5, 12.5, 12.5, 12345678.0, 1.0, 0.0, 3.141592653589793, -2.0, 1.0, 0.0]
    assert {quality for *_, quality in sink.rows} == {0}


async def test_holes_are_found_and_named_and_their_neighbours_flow():
    with libmodbus_tcp(free_port(), holes=[["holding", 12, 13]]) as peer:
        sink = RecordingSink()
        signals = signals_at("holding:10:uint16", "holding:12:uint16", "holding:14:uint16")
        async with running(CONNECTOR, request_for(CONNECTOR, tcp(peer), signals), sink) as task:
            await eventually(lambda: 10.0 in sink.values(1) and 14.0 in sink.values(3), "neighbours flow", task)
            await eventually(lambda: bool(sink.rejections), "named", task)
    assert sink.qualities(2) == {BAD_CONFIGURATION_ERROR}
    assert sink.conditions == [ConditionCode.UNKNOWN_ADDRESS]
    assert "pump.s2" in sink.rejections[0]


async def test_a_register_that_appears_later_is_read():
    """The device is given new firmware or settings: nobody has to touch the gateway."""
    with libmodbus_tcp(free_port(), holes=[["holding", 12, 13]], patience=60) as peer:
        sink = RecordingSink()
        signals = signals_at("holding:10:uint16", "holding:12:uint16", "holding:14:uint16")
        async with running(CONNECTOR, request_for(CONNECTOR, tcp(peer), signals), sink) as task:
            await eventually(lambda: BAD_CONFIGURATION_ERROR in sink.qualities(2), "refused", task)
            await eventually(lambda: 12.0 in sink.values(2), "there it is", task)
            before = len(sink.batches)
            await eventually(lambda: len(sink.batches) > before + 5, "and goes on", task)
    assert [row[2] for row in sink.rows if row[0] == 2][-3:] == [12.0] * 3
    assert len(sink.rejections) == 1


async def test_a_device_that_refuses_everything_is_named(tmp_path):
    with libmodbus_tcp(free_port(), exception=4) as peer:
        sink = RecordingSink()
        signals = signals_at("holding:10:uint16", "coil:12")
        async with running(CONNECTOR, request_for(CONNECTOR, tcp(peer), signals), sink) as task:
            await eventually(lambda: len(sink.values(2)) >= 3, "polls", task)
    assert sink.qualities(1) == sink.qualities(2) == {BAD_DEVICE_FAILURE}
    assert sink.conditions == [ConditionCode.READINGS_REJECTED] * 2  # one a block, told once
    assert "server device failure" in sink.rejections[0]


async def test_a_smaller_limit_of_a_device_is_kept():
    with libmodbus_tcp(free_port(), limit=8) as peer:
        sink = RecordingSink()
        settings = tcp(peer, devices={"3": {"max_registers": 8}})
        signals = signals_at(*[f"holding:{n}:uint16:unit=3" for n in range(40)])
        async with running(CONNECTOR, request_for(CONNECTOR, settings, signals), sink) as task:
            await eventually(lambda: len(sink.values(40)) >= 2, "polls", task)
    assert [sink.values(n + 1)[0] for n in range(40)] == list(range(40))
    assert {quality for *_, quality in sink.rows} == {0}


async def test_a_nan_is_no_data_and_named():
    with libmodbus_tcp(free_port(), holding={"0": [0x7FC0, 0]}) as peer:
        sink = RecordingSink()
        signals = signals_at("holding:0:float32", "holding:2:uint16")
        async with running(CONNECTOR, request_for(CONNECTOR, tcp(peer), signals), sink) as task:
            await eventually(lambda: len(sink.values(2)) >= 3, "polls", task)
    assert (sink.qualities(1), sink.qualities(2)) == ({BAD_NO_DATA}, {0})
    assert sink.conditions == [ConditionCode.NOT_A_NUMBER]
    assert "pump.s1" in sink.rejections[0]


async def test_a_wrong_map_stops_the_source_with_all_its_faults(tmp_path):
    path = tmp_path / "pump.csv"
    path.write_text("name,address,type\na,100,int16\nb,40001,what\n")
    request = request_for(CONNECTOR, {"host": "127.0.0.1", "map": str(path)}, signals_at("a"))
    with pytest.raises(ConfigurationError) as raised:
        await CONNECTOR.run(request, RecordingSink())
    assert "pump.csv:2" in str(raised.value)
    assert "pump.csv:3" in str(raised.value)


async def test_names_of_a_map_file_are_read(tmp_path):
    path = tmp_path / "pump.csv"
    path.write_text("name,address,type,scale\nspeed,40101,uint16,0.5\n")
    with libmodbus_tcp(free_port()) as peer:
        sink = RecordingSink()
        settings = tcp(peer, map=str(path))
        async with running(CONNECTOR, request_for(CONNECTOR, settings, signals_at("speed")), sink) as task:
            await eventually(lambda: bool(sink.values(1)), "polls", task)
    assert sink.values(1)[0] == 50.0


async def test_poll_groups_have_intervals_of_their_own():
    with libmodbus_tcp(free_port()) as peer:
        sink = RecordingSink()
        settings = tcp(peer, polls={"fast": 0.02, "slow": 60.0})
        signals = signals_at("holding:1:uint16:poll=fast", "holding:2:uint16:poll=slow", "holding:3:uint16")
        async with running(CONNECTOR, request_for(CONNECTOR, settings, signals), sink) as task:
            await eventually(lambda: len(sink.values(3)) >= 10 and sink.values(2), "polls", task)
    assert len(sink.values(1)) > len(sink.values(3)) > len(sink.values(2)) == 1


async def test_a_slow_unit_holds_up_nobody_and_its_overrun_is_told():
    """Unit 2 needs 0.15 s an answer and has ten blocks: 1.5 s a poll of 0.1 s. Unit 1 is polled on between."""
    with libmodbus_tcp(free_port(), slow={"2": 0.15}) as peer:
        sink = RecordingSink()
        slow = [f"holding:{n}:uint16:unit=2" for n in range(0, 10_000, 1_000)]
        settings = tcp(peer, poll_interval_s=0.1, budget_s=30.0, timeout_s=1.0)
        request = request_for(CONNECTOR, settings, signals_at("holding:1:uint16", *slow))
        async with running(CONNECTOR, request, sink) as task:
            await eventually(lambda: len(sink.values(11)) >= 2, "two polls of the slow unit", task)
            polls = len(sink.values(1))
    # Between two of the slow unit's answers there is always time for the quick unit's.
    assert polls >= 10
    assert {quality for *_, quality in sink.rows} == {0}
    overruns = [text for code, text in sink.notes if code is ConditionCode.OVERRUN]
    assert any(re.match(r"unit 2: 10 of its 10 requests took [1-9]\d*\.\d+ s", text) for text in overruns)


async def test_a_budget_cuts_a_poll_and_the_rest_is_read_first_in_the_next():
    with libmodbus_tcp(free_port(), slow={"1": 0.05}) as peer:
        sink = RecordingSink()
        signals = signals_at(*[f"holding:{n}:uint16" for n in range(0, 10_000, 1_000)])
        settings = tcp(peer, poll_interval_s=0.3, budget_s=0.12)
        async with running(CONNECTOR, request_for(CONNECTOR, settings, signals), sink) as task:
            await eventually(lambda: len(sink.values(10)) >= 2, "twice through all blocks", task)
    counts = [len(sink.values(key)) for key in range(1, 11)]
    assert max(counts) - min(counts) <= 1
    assert max(sink.batches) < 10
    assert ConditionCode.OVERRUN in [code for code, _ in sink.notes]


async def test_a_silent_unit_is_on_probation_and_marked_bad_once():
    with libmodbus_tcp(free_port(), mute=[7, 8]) as peer:
        sink = RecordingSink()
        signals = signals_at("holding:1:uint16", "holding:2:uint16:unit=7", "holding:3:uint16:unit=8")
        settings = tcp(peer, timeout_s=0.3)
        async with running(CONNECTOR, request_for(CONNECTOR, settings, signals), sink) as task:
            await eventually(lambda: len(sink.values(1)) >= 40, "polls", task)
    assert [row[3] for row in sink.rows if row[0] in (2, 3)] == [BAD_TIMEOUT] * 2
    assert {code for code, _ in sink.notes} >= {ConditionCode.SILENT}
    assert any("unit 7" in text and "asked again" in text for _, text in sink.notes)
    assert sink.connects == 1


async def test_a_serial_cable(tmp_path):
    with serial_cable(tmp_path) as (master, slave), libmodbus_rtu(slave, unit=5):
        settings = {"transport": "rtu", "parity": "N", "serial_port": str(master), "unit": 5, "poll_interval_s": 0.05}
        signals = signals_at(
            "holding:100:uint16", "input:7:uint16", "coil:9", *[f"holding:{n}:uint16" for n in range(1000, 1125)]
        )
        sink = RecordingSink()
        async with running(CONNECTOR, request_for(CONNECTOR, settings, signals), sink) as task:
            await eventually(lambda: len(sink.values(1)) >= 5, "polls", task)
    assert [sink.values(key)[0] for key in (1, 2, 3, 4, 128)] == [100.0, 7.0, 1.0, 1000.0, 1124.0]
    assert {quality for *_, quality in sink.rows} == {0}


async def test_several_units_share_one_serial_line_and_one_of_them_dies_and_comes_back(tmp_path):
    with (
        serial_line(tmp_path, 2) as (master, (first, second)),
        libmodbus_rtu(first, unit=1, holding={"0": [11]}),
        libmodbus_rtu(second, unit=2, holding={"0": [22]}) as mortal,
    ):
        settings = {
            "transport": "rtu",
            "parity": "N",
            "serial_port": str(master),
            "poll_interval_s": 0.05,
            "devices": {"1": {"timeout_s": 1.0}, "2": {"timeout_s": 0.3}},
        }
        sink = RecordingSink()
        request = request_for(CONNECTOR, settings, signals_at("holding:0:uint16", "holding:0:uint16:unit=2"))
        async with running(CONNECTOR, request, sink) as task:
            await eventually(lambda: 11.0 in sink.values(1) and 22.0 in sink.values(2), "both units", task)
            mortal.freeze()
            await eventually(lambda: BAD_TIMEOUT in sink.qualities(2), "the silence is marked", task)
            seen = len(sink.values(1))
            await eventually(lambda: len(sink.values(1)) > seen + 10, "the other unit goes on", task)
            mortal.thaw()
            gone = len(sink.values(2))
            await eventually(lambda: len(sink.values(2)) > gone, "back from probation", task)
    assert sink.qualities(1) == {0}
    assert set(sink.values(1)) == {11.0}
    assert {value for value in sink.values(2) if value == value} == {22.0}
    assert sink.connects == 1


async def test_a_serial_line_that_is_gone_is_unreachable(tmp_path):
    settings = {"transport": "rtu", "parity": "N", "serial_port": str(tmp_path / "nothing")}
    with pytest.raises(SourceUnreachable, match=r"nothing cannot be opened with 19200 bit/s, 8N1: .*No such file"):
        await CONNECTOR.run(request_for(CONNECTOR, settings, signals_at("coil:1")), RecordingSink())


async def test_a_cable_that_is_pulled_is_unreachable(tmp_path):
    sink = RecordingSink()
    settings = {
        "transport": "rtu",
        "parity": "N",
        "serial_port": str(tmp_path / "master"),
        "poll_interval_s": 0.05,
        "timeout_s": 0.5,
    }
    with serial_cable(tmp_path) as (_, slave), libmodbus_rtu(slave):
        task = asyncio.create_task(CONNECTOR.run(request_for(CONNECTOR, settings, signals_at("coil:1")), sink))
        await eventually(lambda: bool(sink.values(1)), "values", task)
    with pytest.raises(SourceUnreachable):
        await asyncio.wait_for(task, 60)


async def test_polls_of_one_interval_start_spread_over_it():
    phases: dict[int, float] = {}
    for unit in range(1, 100):
        phase = zlib.crc32(f"line/{unit}/".encode()) / 2**32
        if all(abs(phase - other) > 0.1 for other in phases.values()):  # far enough apart to tell their order
            phases[unit] = phase
    assert len(phases) >= 5
    with libmodbus_tcp(free_port()) as peer:
        sink = RecordingSink()
        signals = signals_at(*[f"holding:1:uint16:unit={unit}" for unit in phases])
        request = request_for(CONNECTOR, tcp(peer, poll_interval_s=5.0), signals)
        async with running(CONNECTOR, request, sink) as task:
            await eventually(lambda: all(sink.values(signal.key) for signal in signals), "one poll each", task)
    first = {unit: sink.times(key)[0] for key, unit in enumerate(phases, start=1)}
    assert sorted(phases, key=first.__getitem__) == sorted(phases, key=phases.__getitem__)


@pytest.mark.parametrize("how", ["kill", "freeze"])
async def test_a_serial_device_that_is_gone_for_a_while(how, tmp_path):
    with serial_cable(tmp_path) as (master, slave), libmodbus_rtu(slave) as peer:
        door = MemoryDoor()
        settings = {"transport": "rtu", "parity": "N", "serial_port": str(master), "poll_interval_s": 0.05}
        source = SourceConfig("line", "modbus", {**settings, "timeout_s": 0.3})
        runner = SourceRunner([source], signals_at("holding:7:uint16"), {"modbus": CONNECTOR}, door, lambda _: -1)
        async with Started(runner):
            await eventually(lambda: len(door.rows(1)) >= 3, "values")
            getattr(peer, how)()
            await eventually(lambda: door.rows(1)[-1][2] == BAD_NO_COMMUNICATION, "the gap is marked")
            assert ConditionCode.UNREACHABLE in [c.code for c in runner.conditions()]
            before = len(door.rows(1))
            peer.start() if how == "kill" else peer.thaw()
            await eventually(lambda: len(door.rows(1)) > before + 3, "values again")
        assert {value for _, value, quality in door.rows(1) if quality == 0} == {7.0}


OUTAGES = [
    5.0,
    pytest.param(60.0, marks=pytest.mark.slow),
    pytest.param(600.0, marks=[pytest.mark.nightly, pytest.mark.timeout(900)]),
]


@pytest.mark.parametrize("outage_s", OUTAGES)
@pytest.mark.parametrize("how", ["kill", "freeze"])
async def test_an_outage_is_marked_and_ends_by_itself(how, outage_s):
    """Through the real source runner: one bad reading where the line breaks, then values again."""
    with libmodbus_tcp(free_port()) as peer:
        door = MemoryDoor()
        source = SourceConfig("line", "modbus", tcp(peer, timeout_s=1.0))
        soon, signals = Backoff(first_s=0.05, cap_s=0.5), signals_at("holding:7:uint16")
        runner = SourceRunner([source], signals, {"modbus": CONNECTOR}, door, lambda _: -1, backoff=soon)
        async with Started(runner):
            await eventually(lambda: len(door.rows(1)) >= 3, "values")
            getattr(peer, how)()
            began = time.monotonic()
            await eventually(lambda: door.rows(1)[-1][2] == BAD_NO_COMMUNICATION, "the gap is marked")
            assert ConditionCode.UNREACHABLE in [c.code for c in runner.conditions()]
            await asyncio.sleep(max(0.0, began + outage_s - time.monotonic()))
            before = len(door.rows(1))
            assert door.rows(1)[-1][2] == BAD_NO_COMMUNICATION
            peer.start() if how == "kill" else peer.thaw()
            await eventually(lambda: len(door.rows(1)) > before + 3, "values again")
            await eventually(lambda: runner.statuses()[0].state is SourceState.CONNECTED, "connected")
            assert ConditionCode.UNREACHABLE not in [c.code for c in runner.conditions()]
        rows = door.rows(1)
    assert [quality for _, _, quality in rows].count(BAD_NO_COMMUNICATION) == 1
    assert {value for _, value, quality in rows if quality == 0} == {7.0}
    times = [at for at, _, _ in rows]
    assert times == sorted(times)
