"""A device that answers nonsense is named as such, spoils nobody else, and is read again once it talks sense."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from pymodbus.framer.rtu import FramerRTU

from forewarn.domain.assets import SourceConfig
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import SourceUnreachable
from forewarn.gateway.runner import SourceRunner
from forewarn.plugins.connectors.modbus import CONNECTOR
from forewarn.plugins.connectors.modbus.poller import BAD_COMMUNICATION_ERROR
from tests.gateway.scripted import MemoryDoor, Started
from tests.plugins.connectors.recording import RecordingSink, eventually, request_for, running, signals_at

Answer = Callable[[bytes, bytes], bytes]


def good(asked: bytes, words: bytes) -> bytes:
    """The answer of a device that is well: header with the length of what follows, and the registers."""
    return asked[:4] + struct.pack(">HBBB", 3 + len(words), asked[6], asked[7], len(words)) + words


NONSENSE: dict[str, Answer] = {
    "wrong transaction": lambda asked, words: bytes([asked[0] ^ 1]) + good(asked, words)[1:],
    "wrong protocol": lambda asked, words: asked[:2] + b"\x12\x34" + good(asked, words)[4:],
    "wrong unit": lambda asked, words: good(asked, words)[:6] + bytes([99]) + good(asked, words)[7:],
    "wrong function": lambda asked, words: good(asked, words)[:7] + bytes([4]) + good(asked, words)[8:],
    "unknown function": lambda asked, words: good(asked, words)[:7] + bytes([66]) + good(asked, words)[8:],
    "too few registers": lambda asked, words: good(asked, words[:-2]),
    "too many registers": lambda asked, words: good(asked, words + b"ab"),
    "a count that is not so": lambda asked, words: good(asked, words)[:8] + bytes([200]) + words,
    "a length that is not so": lambda asked, words: good(asked, words)[:5] + bytes([250]) + good(asked, words)[6:],
    "a frame cut short": lambda asked, words: good(asked, words)[:-1],
    "four bytes": lambda asked, words: b"\x00\x01\x00\x00",
    "garbage": lambda asked, words: b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "endless garbage": lambda asked, words: b"\x00" * 8000,
}


class Device:
    """Unit 1 answers as `answer` says, unit 2 well. A register holds its own number."""

    def __init__(self) -> None:
        self.answer: Answer = good
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                asked = await reader.readexactly(12)
                start, count = struct.unpack(">HH", asked[8:])
                words = struct.pack(f">{count}H", *range(start, start + count))
                writer.write((self.answer if asked[6] == 1 else good)(asked, words))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@asynccontextmanager
async def device() -> AsyncIterator[Device]:
    made = Device()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()


def settings_for(made: Device) -> dict[str, object]:
    return {"host": "127.0.0.1", "port": made.port, "poll_interval_s": 0.05, "timeout_s": 0.2}


@pytest.mark.parametrize("kind", NONSENSE)
async def test_alone_it_is_a_lost_source_with_the_condition_nonsense(kind):
    async with device() as made:
        made.answer = NONSENSE[kind]
        request = request_for(CONNECTOR, settings_for(made), signals_at("holding:7:uint16", "holding:8:float32"))
        sink = RecordingSink()
        with pytest.raises(SourceUnreachable, match="answers nonsense") as raised:
            await asyncio.wait_for(CONNECTOR.run(request, sink), 60)
    assert raised.value.condition is ConditionCode.NONSENSE
    assert sink.rows == []


@pytest.mark.parametrize("kind", ["wrong transaction", "a frame cut short", "garbage"])
async def test_behind_a_gateway_its_neighbour_is_read_on_and_it_comes_back(kind):
    async with device() as made:
        sink = RecordingSink()
        signals = signals_at("holding:7:uint16", "holding:9:uint16:unit=2")
        async with running(CONNECTOR, request_for(CONNECTOR, settings_for(made), signals), sink) as task:
            await eventually(lambda: 7.0 in sink.values(1) and 9.0 in sink.values(2), "both", task)
            made.answer = NONSENSE[kind]
            await eventually(lambda: BAD_COMMUNICATION_ERROR in sink.qualities(1), "marked", task)
            before = len(sink.values(2))
            await eventually(lambda: len(sink.values(2)) > before + 5, "the neighbour", task)
            made.answer = good
            gone = len(sink.values(1))
            await eventually(lambda: len(sink.values(1)) > gone + 2, "it is back", task)
    assert sink.qualities(1) == {0, BAD_COMMUNICATION_ERROR}
    assert set(sink.values(2)) == {9.0}
    assert ConditionCode.NONSENSE in [code for code, _ in sink.notes]


async def test_the_source_says_so_until_it_talks_sense_again():
    async with device() as made:
        made.answer = NONSENSE["garbage"]
        source = SourceConfig("line", "modbus", settings_for(made))
        door = MemoryDoor()
        runner = SourceRunner([source], signals_at("holding:7:uint16"), {"modbus": CONNECTOR}, door, lambda _: -1)
        async with Started(runner):
            await eventually(lambda: bool(runner.conditions()), "named")
            assert [c.code for c in runner.conditions()] == [ConditionCode.NONSENSE]
            made.answer = good
            await eventually(lambda: bool(door.rows(1)), "values")
            assert [c.code for c in runner.conditions()] == []


async def test_what_was_read_before_the_silence_is_stored():
    """Of three blocks the last is never answered; the readings of the others are not thrown away with it."""
    async with device() as made:
        made.answer = lambda asked, words: b"" if asked[8] >= 8 else good(asked, words)
        sink = RecordingSink()
        signals = signals_at("holding:7:uint16", "holding:1000:uint16", "holding:2048:uint16")
        with pytest.raises(SourceUnreachable):
            await asyncio.wait_for(CONNECTOR.run(request_for(CONNECTOR, settings_for(made), signals), sink), 60)
    assert (sink.values(1), sink.values(2), sink.values(3)) == ([7.0], [1000.0], [])


async def test_rtu_over_tcp_finds_the_answer_in_the_noise():
    """A serial line behind a converter: a glitch before the answer, and once a spoilt checksum."""
    asked_times = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked_times
        try:
            while True:
                asked = await reader.readexactly(8)
                asked_times += 1
                count = asked[5]
                answer = asked[:2] + bytes([2 * count]) + struct.pack(f">{count}H", *range(asked[3], asked[3] + count))
                check = FramerRTU.compute_CRC(answer).to_bytes(2, "big")
                writer.write(b"\x00\x01\x03" + answer + (b"??" if asked_times == 3 else check))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    settings = {"host": "127.0.0.1", "port": server.sockets[0].getsockname()[1], "transport": "rtu_over_tcp"}
    sink = RecordingSink()
    request = request_for(
        CONNECTOR, {**settings, "poll_interval_s": 0.05, "timeout_s": 0.3}, signals_at("40008:uint16")
    )
    try:
        async with running(CONNECTOR, request, sink) as task:
            await eventually(lambda: len(sink.values(1)) >= 6, "polls", task)
    finally:
        server.close()
    assert set(sink.values(1)) == {7.0}
    assert sink.connects == 1
