"""Killed and frozen: us and the broker. Whatever a broker took with QoS 1 is in our spool in the end."""

import asyncio
import json
import threading
import time
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from forewarn.domain.sources import SourceState
from forewarn.gateway.runner import SourceRunner
from forewarn.kit.retry import Backoff
from forewarn.plugins.batch_logs.sqlite_spool import SqliteSpool
from forewarn.plugins.connectors.mqtt import CONNECTOR
from tests.gateway.scripted import MemoryDoor, Started, signal, source
from tests.peers.processes import Peer, collector, free_port, mosquitto, nats_mqtt, wait_until
from tests.plugins.connectors.recording import eventually

TOPIC = "digital_twin/pump/telemetry"
OUTAGES = [
    pytest.param(5.0, id="5s"),
    pytest.param(60.0, id="60s", marks=pytest.mark.slow),
    pytest.param(600.0, id="10min", marks=[pytest.mark.nightly, pytest.mark.timeout(1500)]),
]


class Device:
    """Publishes 1, 2, 3, ... with QoS 1, a number again until the broker has it; `taken` counts those."""

    def __init__(self, port: int) -> None:
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="device", clean_session=False)
        self._acknowledged: set[int] = set()
        self._client.on_publish = lambda _c, _d, mid, *_: self._acknowledged.add(mid)
        self._client.reconnect_delay_set(0.2, 0.5)
        self._client.connect("127.0.0.1", port, keepalive=2)
        self._client.loop_start()
        self._stop = threading.Event()
        self.pause = threading.Event()
        self.taken = 0
        self._thread = threading.Thread(target=self._publish, daemon=True)
        self._thread.start()

    def _publish(self) -> None:
        while not self._stop.wait(0.005):
            if self.pause.is_set():
                continue
            number = self.taken + 1
            payload = json.dumps({"s1": number, "timestamp": 1_700_000_000_000 + number})
            mid = self._client.publish(TOPIC, payload, qos=1).mid
            while mid not in self._acknowledged and not self._stop.wait(0.001):
                pass
            if mid in self._acknowledged:
                self._acknowledged.discard(mid)
                self.taken = number

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self) -> "Device":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def stored(directory: Path) -> list[tuple[int, int]]:
    """(time, value) of what a spool holds of signal 1, gaps apart, in order."""
    spool = SqliteSpool(directory)
    try:
        found, after = [], 0
        while batches := spool.read(after, 100_000):
            after = batches[-1][0]
            for _, batch in batches:
                mine = (batch.signal == 1) & (batch.quality == 0)
                found += zip(batch.time[mine].tolist(), batch.value[mine].tolist(), strict=True)
        return found
    finally:
        spool.close()


def settings_at(broker: Peer) -> dict[str, object]:
    return {"host": "127.0.0.1", "port": broker.port, "keepalive_s": 1}


def sent(count: int) -> set[tuple[int, int]]:
    return {((1_700_000_000_000 + number) * 1_000, number) for number in range(1, count + 1)}


@pytest.mark.parametrize("make", [nats_mqtt, mosquitto], ids=["nats", "mosquitto"])
def test_killed_again_and_again_we_lose_nothing_and_store_each_reading_under_its_time(make, tmp_path: Path):
    with (
        make(tmp_path / "broker", free_port()) as broker,
        collector(tmp_path / "spool", "mqtt", settings_at(broker), [None]) as ours,
    ):
        with Device(broker.port) as device:
            for _ in range(3):
                goal = device.taken + 60
                wait_until(lambda goal=goal: device.taken > goal, "readings on their way")
                ours.kill()
                time.sleep(0.2)
                ours.start()
            goal = device.taken + 20
            wait_until(lambda: device.taken > goal, "readings after the last start")
        time.sleep(1.5)
        ours.kill()
    found = stored(tmp_path / "spool")
    # What was stored but not yet acknowledged comes again, and is the same reading to every store: signal and time.
    assert set(found) == sent(device.taken)
    assert len(found) - len(set(found)) <= 3 * 20


def test_a_broker_killed_again_and_again_loses_nothing_that_it_took(tmp_path: Path):
    """nats-server stores before it acknowledges. (Mosquitto writes its store each `autosave_interval` only: killed, it
    forgets what it had not delivered of that time.)"""
    with (
        nats_mqtt(tmp_path / "broker", free_port()) as broker,
        collector(tmp_path / "spool", "mqtt", settings_at(broker), [None]) as ours,
    ):
        with Device(broker.port) as device:
            for _ in range(2):
                goal = device.taken + 60
                wait_until(lambda goal=goal: device.taken > goal, "readings on their way")
                broker.kill()
                time.sleep(0.5)
                broker.start()
            goal = device.taken + 20
            wait_until(lambda: device.taken > goal, "readings after the last start")
        time.sleep(4.0)
        ours.kill()
    assert set(stored(tmp_path / "spool")) == sent(device.taken)


@pytest.mark.parametrize("outage_s", OUTAGES)
@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_a_broker_that_is_away_is_told_and_all_comes_after(how: str, outage_s: float, tmp_path: Path):
    with mosquitto(tmp_path / "broker", free_port(), "max_queued_messages 0") as broker:
        door = MemoryDoor()
        runner = SourceRunner(
            [source("broker", "mqtt", **settings_at(broker))],
            [signal(1, "broker")],
            {"mqtt": CONNECTOR},
            door,
            lambda _: -1,
            backoff=Backoff(first_s=0.05, cap_s=0.5),
        )

        def state() -> SourceState:
            return runner.statuses()[0].state

        def values() -> set[float]:
            return {value for _, value, quality in door.rows(1) if quality == 0}

        async with Started(runner):
            await eventually(lambda: state() is SourceState.CONNECTED, "connected")
            with Device(broker.port) as device:
                await eventually(lambda: len(values()) >= 20, "readings")
                device.pause.set()
                await asyncio.sleep(3.0)  # so that our session and what it acknowledged are on its disk
                if how == "killed":
                    broker.kill()
                else:
                    broker.freeze()
                await eventually(lambda: state() is SourceState.RECONNECTING, "the loss")
                assert [condition.code.value for condition in runner.conditions()] == ["unreachable"]
                await asyncio.sleep(outage_s - 1.5)
                if how == "killed":
                    await asyncio.to_thread(broker.start)
                else:
                    broker.thaw()
                device.pause.clear()
                before = device.taken
                await eventually(lambda: state() is SourceState.CONNECTED, "back")
                await eventually(lambda: device.taken >= before + 20, "readings on their way")
            await eventually(lambda: values() >= set(range(1, device.taken + 1)), "everything")
            # (The device's times are years old, which is told after a minute.)
            assert {condition.code.value for condition in runner.conditions()} <= {"clock_wrong"}
        gaps = [quality for _, _, quality in door.rows(1) if quality]
        assert gaps
        assert set(gaps) == {0x80310000}
