"""The machines' gateways: JSON on `digital_twin/<asset>/telemetry`, QoS 1."""

import asyncio
import json
import math
from collections.abc import Mapping

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from forewarn.domain.errors import ConfigurationError
from forewarn.domain.status import GOOD
from forewarn.simulator.addresses import MQTT_TOPIC
from forewarn.simulator.quantities import Array
from forewarn.simulator.sensors import Quality

_CONNECT_TIMEOUT_S = 10.0


class PlantMqttPublisher:
    """signals: asset id -> ids of its signals, in the order of the values given to `publish`."""

    def __init__(self, host: str, port: int, signals: Mapping[str, list[str]]) -> None:
        self._host, self._port, self._signals = host, port, signals
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="forewarn-simulated-plant")

    async def start(self) -> None:
        """Raises ConfigurationError when the broker refuses."""
        loop = asyncio.get_running_loop()
        connected: asyncio.Future[str] = loop.create_future()

        def settle(reason: str) -> None:
            if not connected.done():
                connected.set_result(reason)

        def on_connect(client: mqtt.Client, data: object, flags: object, reason: object, properties: object) -> None:
            loop.call_soon_threadsafe(settle, str(reason))

        self._client.on_connect = on_connect
        self._client.reconnect_delay_set(1, 5)
        self._client.max_queued_messages_set(1000)
        self._client.connect_async(self._host, self._port, keepalive=20)
        self._client.loop_start()
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                reason = await connected
        except TimeoutError:
            reason = f"no answer within {_CONNECT_TIMEOUT_S:g} s"
        if reason != "Success":
            raise ConfigurationError(f"MQTT broker {self._host}:{self._port} refuses the plant: {reason}")

    def publish(self, time_us: int, value: Array, quality: Quality) -> None:
        """One message a machine; value null where the sensor is bad. Never waits for the broker."""
        stamp = time_us // 1000
        numbers, codes, start = value.tolist(), quality.tolist(), 0
        for asset, signals in self._signals.items():
            stop = start + len(signals)
            rows = zip(signals, numbers[start:stop], codes[start:stop], strict=True)
            readings = [
                {"sensor_id": s, "timestamp": stamp, "value": None if math.isnan(v) else v, "quality": _quality(q)}
                for s, v, q in rows
            ]
            payload = json.dumps({"timestamp": stamp, "readings": readings}, separators=(",", ":"))
            self._client.publish(MQTT_TOPIC.format(asset=asset), payload, qos=1)
            start = stop

    async def stop(self) -> None:
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)


def _quality(code: int) -> str | int:
    """The specification's word for good; else the whole StatusCode, which a word would lose."""
    return "good" if code == GOOD else code
