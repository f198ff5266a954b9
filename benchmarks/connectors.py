"""What the connectors cost: OPC UA values decoded, Modbus registers polled, MQTT readings taken, per second and core.

Run: `python -m benchmarks.connectors [--quick]`. Servers run in processes of their own on loopback; "of a core" is
this process alone. Nothing is stored: the sink counts.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import paho.mqtt.client as paho
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary
from numpy.typing import NDArray
from paho.mqtt.enums import CallbackAPIVersion

from forewarn.contracts.connector import Connector, SourceRequest
from forewarn.domain.assets import Signal
from forewarn.domain.conditions import ConditionCode
from forewarn.plugins.connectors import modbus, mqtt
from forewarn.plugins.connectors.opcua.publish import decode_publish
from tests.peers.processes import free_port, nats_mqtt, python_peer

SCALE = 0.2 if "--quick" in sys.argv else 1.0
STAMP = ua.DateTime(2026, 1, 31)


class CountingSink:
    def __init__(self) -> None:
        self.readings = 0
        self.puts = 0
        self.ready = asyncio.Event()
        self._wanted = 0
        self._done = asyncio.Event()

    async def put(
        self,
        signal: NDArray[np.int32],
        time: NDArray[np.int64],
        value: NDArray[np.float64],
        quality: NDArray[np.uint32],
    ) -> None:
        self.readings += len(signal)
        self.puts += 1
        if self.readings >= self._wanted:
            self._done.set()

    async def took(self, readings: int) -> None:
        self._wanted = readings
        self._done.clear()
        await self._done.wait()

    def alive(self) -> None: ...

    def connected(self) -> None:
        self.ready.set()

    def rejected(self, count: int, example: str, condition: ConditionCode = ConditionCode.READINGS_REJECTED) -> None:
        raise RuntimeError(example)

    def note(self, condition: ConditionCode, text: str) -> None: ...

    def newest(self, signal: NDArray[np.int32]) -> NDArray[np.int64]:
        return np.full(len(signal), np.iinfo(np.int64).min)


def show(title: str, n: int, wall_s: float, cpu_s: float, unit: str) -> None:
    print(
        f"{title:58s} {n / wall_s:12,.0f} {unit}/s {cpu_s / n * 1e6:8.3f} us CPU each {cpu_s / wall_s:5.0%} of a core"
    )


def repeat(work: Callable[[], int], for_s: float) -> tuple[int, float, float]:
    """Units done, wall and CPU seconds."""
    n, wall, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - wall < for_s:
        n += work()
    return n, time.perf_counter() - wall, time.process_time() - cpu


def notification(n: int, mixed: bool) -> bytes:
    """A PublishResponse of `n` doubles with source timestamps; mixed: every third one carries no status."""
    items = []
    for i in range(n):
        status = None if mixed and i % 3 == 0 else ua.StatusCode(ua.UInt32(0x40000000))
        value = ua.DataValue(ua.Variant(i * 0.5, ua.VariantType.Double), status, SourceTimestamp=STAMP)
        items.append(ua.MonitoredItemNotification(i, value))
    response = ua.PublishResponse()
    response.Parameters.NotificationMessage.NotificationData = [ua.DataChangeNotification(MonitoredItems=items)]
    return bytes(struct_to_binary(response))


def bench_opcua() -> None:
    def ours(data: bytes) -> int:
        return sum(len(part.handle) for part in decode_publish(data).items)

    def library(data: bytes) -> int:
        struct_from_binary(ua.PublishResponse, Buffer(data))
        return 1_000

    for title, data, decode in (
        ("OPC UA decode, 1,000 values alike", notification(1_000, mixed=False), ours),
        ("OPC UA decode, 1,000 values of mixed layout", notification(1_000, mixed=True), ours),
        ("the same by asyncua, for comparison", notification(1_000, mixed=True), library),
    ):
        show(title, *repeat(lambda d=data, f=decode: f(d), 2 * SCALE), "values")  # type: ignore[misc]


def request(connector: Connector, settings: dict[str, object], signals: list[Signal]) -> SourceRequest:
    return SourceRequest("bench", connector.settings.model_validate(settings), signals)


async def bench_modbus() -> None:
    kinds = (("uint16", 1, 40_000), ("float32", 2, 20_000))
    for kind, words, count in kinds:
        signals = [
            Signal(f"p.s{i}", "p", f"s{i}", "other", "1", key=i + 1, address=f"holding:{i * words}:{kind}")
            for i in range(count)
        ]
        with python_peer("modbus_slow_unit.py", port=free_port()) as peer:
            sink = CountingSink()
            settings = {"host": "127.0.0.1", "port": peer.port, "poll_interval_s": 0.001}
            task = asyncio.create_task(modbus.CONNECTOR.run(request(modbus.CONNECTOR, settings, signals), sink))
            await sink.ready.wait()
            before, wall, cpu = sink.readings, time.perf_counter(), time.process_time()
            await asyncio.sleep(4 * SCALE)
            spent = time.perf_counter() - wall, time.process_time() - cpu
            show(
                f"Modbus poll, {count:,} x {kind}, one connection",
                (sink.readings - before) * words,
                *spent,
                "registers",
            )
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def fill(port: int, messages: int, payload: str) -> None:
    """Into the broker's store, for the session that is away."""
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(1_000)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for info in [client.publish("digital_twin/p/telemetry", payload, qos=1) for _ in range(messages)]:
        info.wait_for_publish(60)
    client.disconnect()
    client.loop_stop()


async def bench_mqtt() -> None:
    signals = [Signal(f"p.s{i}", "p", f"s{i}", "other", "1", key=i + 1) for i in range(100)]
    names, times = [s.id for s in signals], [1_700_000_000_000] * 100
    shapes = {
        "columns, 100 readings a message": {"sensor_id": names, "timestamp": times, "value": [1.5] * 100},
        "readings, 100 a message": {
            "readings": [{"sensor_id": n, "timestamp": t, "value": 1.5} for n, t in zip(names, times, strict=True)]
        },
        "flat, one reading a message": {"s1": 1.5, "timestamp": 1_700_000_000_000},
    }
    for title, shape in shapes.items():
        readings = 1 if "one" in title else 100
        messages = int(SCALE * (20_000 if readings == 1 else 5_000))
        with tempfile.TemporaryDirectory() as folder, nats_mqtt(Path(folder), free_port(), ack_wait_s=30) as peer:
            settings: dict[str, object] = {"host": "127.0.0.1", "port": peer.port}
            task = asyncio.create_task(
                mqtt.CONNECTOR.run(request(mqtt.CONNECTOR, settings, signals), sink := CountingSink())
            )
            await sink.ready.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await asyncio.to_thread(fill, peer.port, messages, json.dumps(shape))
            sink = CountingSink()
            wall, cpu = time.perf_counter(), time.process_time()
            task = asyncio.create_task(mqtt.CONNECTOR.run(request(mqtt.CONNECTOR, settings, signals), sink))
            await sink.took(messages * readings)
            spent = time.perf_counter() - wall, time.process_time() - cpu
            show(f"MQTT QoS 1 (nats-server), {title}", sink.readings, *spent, "readings")
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


if __name__ == "__main__":
    bench_opcua()
    asyncio.run(bench_modbus())
    asyncio.run(bench_mqtt())
