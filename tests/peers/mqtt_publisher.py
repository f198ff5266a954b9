"""A machine that tells its counter over MQTT, QoS 1, ten times a second, with its own time.

python mqtt_publisher.py PORT TOPIC [FILE]   - prints READY when the broker has the first; goes on through its absence.
FILE: by how many seconds its clock is ahead, read again and again."""

import json
import sys
import threading
import time
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion


def ahead_ms(file: str | None) -> int:
    try:
        return 0 if file is None else int(float(Path(file).read_text()) * 1_000)
    except (OSError, ValueError):
        return 0


def main() -> None:
    port, topic, clock = int(sys.argv[1]), sys.argv[2], next(iter(sys.argv[3:]), None)
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"machine {topic}", clean_session=False)
    client.max_queued_messages_set(0)
    ready = threading.Event()
    client.on_publish = lambda *_: ready.set()
    client.reconnect_delay_set(0.1, 0.5)
    client.connect_async("127.0.0.1", port)
    client.loop_start()
    counter = 0
    while True:
        reading = {"sensor_id": "count", "value": counter, "timestamp": time.time_ns() // 1_000_000 + ahead_ms(clock)}
        client.publish(topic, json.dumps(reading), qos=1)
        if counter == 0:
            ready.wait()
            print("READY", flush=True)
        counter += 1
        time.sleep(0.1)


if __name__ == "__main__":
    main()
