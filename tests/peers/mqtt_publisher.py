"""A machine that tells its counter over MQTT, QoS 1, ten times a second, with its own time.

python mqtt_publisher.py PORT TOPIC   - prints READY when the broker has the first; goes on through its absence."""

import json
import sys
import threading
import time

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion


def main() -> None:
    port, topic = int(sys.argv[1]), sys.argv[2]
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="machine", clean_session=False)
    client.max_queued_messages_set(0)
    ready = threading.Event()
    client.on_publish = lambda *_: ready.set()
    client.reconnect_delay_set(0.1, 0.5)
    client.connect_async("127.0.0.1", port)
    client.loop_start()
    counter = 0
    while True:
        reading = {"sensor_id": "count", "value": counter, "timestamp": time.time_ns() // 1_000_000}
        client.publish(topic, json.dumps(reading), qos=1)
        if counter == 0:
            ready.wait()
            print("READY", flush=True)
        counter += 1
        time.sleep(0.1)


if __name__ == "__main__":
    main()
