"""Publishes what no reading is: broken JSON, bytes that are no text, wrong shapes. Ten times a second, QoS 1.

python mqtt_vandal.py PORT TOPIC   - prints READY when the broker has the first."""

import itertools
import sys
import threading
import time

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

PAYLOADS = (
    b'{"sensor_id": "count", "value": 1, "timest',
    b"\x00\xff\xfe\x80 not a text \xc3",
    b"",
    b"[[[[",
    b'{"sensor_id": "count", "value": {"deep": [1]}, "timestamp": 1}',
    b'{"sensor_id": "count", "value": 1e999, "timestamp": "yesterday"}',
    b"null",
)


def main() -> None:
    port, topic = int(sys.argv[1]), sys.argv[2]
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="vandal")
    ready = threading.Event()
    client.on_publish = lambda *_: ready.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    for turn, payload in enumerate(itertools.cycle(PAYLOADS)):
        client.publish(topic, payload, qos=1)
        if turn == 0:
            ready.wait()
            print("READY", flush=True)
        time.sleep(0.1)


if __name__ == "__main__":
    main()
