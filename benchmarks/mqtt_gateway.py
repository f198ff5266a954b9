"""MQTT QoS 1 from Mosquitto into the durable spool, 100 readings a message, all on one machine.

Run: `python -m benchmarks.mqtt_gateway [--quick]`. The gateway's source as wiring makes it: connector, door, SQLite
spool (fsync before the acknowledgement). Every figure is from the first message to the last one acknowledged; "of a
core" is of each process. Each message is another moment in time, so that no reading repeats one before.
"""

import asyncio
import json
import multiprocessing
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path

import psutil

from forewarn.domain.assets import Signal, SourceConfig
from forewarn.domain.signal_table import SignalTable
from forewarn.domain.sources import SourceState
from forewarn.gateway.runner import SourceRunner
from forewarn.kit.clock import now_us
from forewarn.pipeline.door import IntakeDoor
from forewarn.plugins.batch_logs.sqlite_spool import SqliteSpool
from forewarn.plugins.connectors.mqtt import CONNECTOR
from tests.peers.processes import Peer, free_port, mosquitto

MESSAGES = 4_000 if "--quick" in sys.argv else 20_000
PER_MESSAGE = 100
T0 = 1_750_000_000_000
_TOKEN = b"9999999999999"
SIGNALS = [Signal(f"pump-7.signal_{i:02d}", "pump-7", f"signal_{i:02d}", "other", "1", key=i + 1, source="bench")
           for i in range(PER_MESSAGE)]  # fmt: skip


class Plant:
    """PlantView of the signals."""

    revision = 1
    table = SignalTable.of(SIGNALS)


def payload(shape: str) -> bytes:
    ids, values = [s.id for s in SIGNALS], [20 + 0.37 * i for i in range(PER_MESSAGE)]
    stamp = int(_TOKEN)
    if shape == "columns":
        return json.dumps({"sensor_id": ids, "timestamp": [stamp] * PER_MESSAGE, "value": values}).encode()
    rows = [{"sensor_id": i, "timestamp": stamp, "value": v} for i, v in zip(ids, values, strict=True)]
    return json.dumps({"readings": rows}).encode()


def _packet(kind: int, body: bytes) -> bytes:
    head, left = bytearray([kind]), len(body)
    while True:
        head.append(left % 128 | (128 if left > 127 else 0))
        left //= 128
        if not left:
            return bytes(head) + body


def publish(port: int, template: bytes, window: int, started: Event, spent: "Synchronized[float]") -> None:
    """A device that costs little: every packet is made beforehand, acknowledgements are only counted. spent: its CPU
    seconds from `started` on."""
    messages = MESSAGES
    topic = b"digital_twin/pump-7/telemetry"
    packets = []
    for n in range(messages):
        body = template.replace(_TOKEN, b"%d" % (T0 + n))
        packets.append(
            _packet(0x32, len(topic).to_bytes(2, "big") + topic + (n % 65_535 + 1).to_bytes(2, "big") + body)
        )
    with socket.create_connection(("127.0.0.1", port)) as link:
        link.sendall(_packet(0x10, b"\x00\x04MQTT\x04\x02\x00\x00\x00\x06device"))
        link.recv(4)
        begun = time.process_time()
        started.set()
        acknowledged = sent = 0
        while acknowledged < messages * 4:
            upto = min(messages, acknowledged // 4 + window)
            if upto > sent:
                link.sendall(b"".join(packets[sent:upto]))
                sent = upto
            acknowledged += len(link.recv(65_536))
        spent.value = time.process_time() - begun


class Gateway:
    """The source, in this process."""

    def __init__(self, folder: Path, settings: dict[str, object]) -> None:
        self._spool = SqliteSpool(folder)
        door = IntakeDoor(self._spool, Plant(), now_us)
        source = SourceConfig("bench", "mqtt", settings)
        self.runner = SourceRunner([source], SIGNALS, {"mqtt": CONNECTOR}, door, self._spool.last_sequence)

    async def __aenter__(self) -> "Gateway":
        self._task = asyncio.create_task(self.runner.run())
        while self.runner.statuses()[0].state is not SourceState.CONNECTED:
            await asyncio.sleep(0.01)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.runner.stop()
        await self._task
        self._spool.close()

    @property
    def readings(self) -> int:
        return self.runner.statuses()[0].readings

    async def took(self, readings: int) -> None:
        while self.readings < readings:
            await asyncio.sleep(0.005)


def cpu_of(peer: Peer) -> float:
    assert peer._process is not None
    spent = psutil.Process(peer._process.pid).cpu_times()
    return spent.user + spent.system


class Device:
    """A publisher in a process of its own, connected when it is made."""

    def __init__(self, port: int, template: bytes, window: int = 200) -> None:
        started = multiprocessing.Event()
        self._spent = multiprocessing.Value("d", 0.0)
        self._process = multiprocessing.Process(target=publish, args=(port, template, window, started, self._spent))
        self._process.start()
        started.wait()

    def finish(self) -> float:
        """CPU seconds."""
        self._process.join(60)
        return float(self._spent.value)


async def bench(title: str, shape: str, lines: Sequence[str], *, before: bool, gather: int) -> None:
    """before: the broker has it all before we come, so that only broker and gateway work."""
    with tempfile.TemporaryDirectory() as folder:
        broker = mosquitto(Path(folder) / "broker", free_port(), "max_queued_messages 0", "persistence false", *lines)
        with broker:
            settings: dict[str, object] = {"host": "127.0.0.1", "port": broker.port, "gather_messages": gather}
            spool = Path(folder) / "spool"
            if before:
                async with Gateway(spool, settings):
                    pass
                Device(broker.port, payload(shape)).finish()
            publisher = 0.0
            ours, theirs, wall = time.process_time(), cpu_of(broker), time.perf_counter()
            async with Gateway(spool, settings) as gateway:
                if before:
                    await gateway.took(MESSAGES * PER_MESSAGE)
                else:
                    publishing = await asyncio.to_thread(Device, broker.port, payload(shape))
                    ours, theirs, wall = time.process_time(), cpu_of(broker), time.perf_counter()
                    await gateway.took(MESSAGES * PER_MESSAGE)
                    publisher = publishing.finish()
                seconds = time.perf_counter() - wall
                ours, theirs = time.process_time() - ours, cpu_of(broker) - theirs
                n = gateway.readings
        print(
            f"{title:62s} {n / seconds:11,.0f} readings/s  of a core: gateway {ours / seconds:4.0%}, broker "
            f"{theirs / seconds:4.0%}, publisher {publisher / seconds:4.0%}  ({ours / n * 1e6:.2f} us CPU each)"
        )


async def main() -> None:
    wide = ("max_inflight_messages 200",)
    await bench("columns, 200 in flight, device publishes meanwhile", "columns", wide, before=False, gather=100)
    await bench("columns, 200 in flight, the broker has it already", "columns", wide, before=True, gather=100)
    await bench("columns, 20 in flight (Mosquitto's default), has it already", "columns", (), before=True, gather=20)
    await bench("readings, 200 in flight, the broker has it already", "readings", wide, before=True, gather=100)


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
