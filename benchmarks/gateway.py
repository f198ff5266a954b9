"""A gateway's process: what it takes to be there, and how soon a value becomes an alarm.

Run: `python -m benchmarks.gateway [--quick] [--hz=10] [--python=INTERPRETER]` (of an environment that has a gateway
already).

Footprint: `pip install forewarn[gateway]` into an environment of its own (bytes of site-packages without pip and
setuptools), importing what the command runs, and the resident memory of `forewarn gateway` with 1,000 signals after it
has judged and thinned for a while; the process is that environment's where it was made, so without pyarrow.

Latency: a device publishes 10,000 values/s over MQTT (100 messages a second of 100 values, QoS 1, its own time); two
values a second are beyond their limit. From the source time of that value to the alarm's event in the hands of an MQTT
listener: through broker, connector, fsync, default detectors, judge, output and broker again.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing import Process, Queue
from pathlib import Path

import numpy as np
import paho.mqtt.client as paho
import psutil
from paho.mqtt.enums import CallbackAPIVersion

from tests.peers.processes import free_port, mosquitto

ROOT = Path(__file__).parents[1]
ASSETS, PER_ASSET = 10, 100
HZ = next((int(word[5:]) for word in sys.argv if word.startswith("--hz=")), 10)
SECONDS = 15 if "--quick" in sys.argv else 60
LIMIT = 100.0


def gateway_file(folder: Path, port: int) -> Path:
    lines = [
        f"""
[gateway]
name = "bench"
directory = "{folder / "data"}"
output = [{{ output = "mqtt_events", settings = {{ host = "127.0.0.1", port = {port}, when = "always" }} }}]

[[source]]
name = "broker"
connector = "mqtt"
settings = {{ host = "127.0.0.1", port = {port} }}
"""
    ]
    for asset in range(ASSETS):
        lines.append(
            f'[[asset]]\nid = "a{asset}"\npath = "e/s/a/l"\n[asset.defaults]\nsource = "broker"\nrate_hz = {HZ}\n'
        )
        for signal in range(PER_ASSET):
            lines.append(
                f'[asset.signals.s{signal}]\nkind = "pressure"\nunit = "bar"\nrange = [0, 200]\n'
                f'limits = {{ high = {LIMIT} }}\naddress = "a{asset}:s{signal}"\n'
            )
            lines.append(f'[[asset.alarm]]\nrule = "s{signal}.high"\non_delay_s = 0\noff_delay_s = 0\n')
    # TOML wants a table's own keys before its sub-tables: alarms are arrays of their asset, so they may follow.
    file = folder / "gateway.toml"
    file.write_text("".join(lines))
    return file


@contextlib.contextmanager
def running(python: Path, file: Path) -> Iterator[psutil.Process]:
    log = (file.parent / "gateway.log").open("wb")
    process = subprocess.Popen([python, "-m", "forewarn", "gateway", "--config", file], stdout=log, stderr=log)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)
        log.close()


def device(port: int, seconds: float, sent: "Queue[dict[str, int]]") -> None:
    """Publishes every signal ten times a second, an asset a message; two values a second are beyond their limit.
    In a process of its own, so that it does not keep the listener from hearing."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="device")
    client.connect("127.0.0.1", port)
    client.loop_start()
    rng = np.random.default_rng(1)
    beyond: dict[str, int] = {}
    began, ticks = time.monotonic(), 0
    names = [f"s{i}" for i in range(PER_ASSET)]
    while time.monotonic() - began < seconds:
        for asset in range(ASSETS):
            values = np.round(50 + rng.normal(0, 0.5, PER_ASSET), 2).tolist()
            if ticks % 5 == 0 and asset == ticks // 5 % ASSETS:
                signal = ticks // (5 * ASSETS) % PER_ASSET
                values[signal] = 150.0
                beyond.setdefault(f"a{asset}/s{signal}.high", time.time_ns())
            now_ms = time.time_ns() // 1_000_000
            body = {"sensor_id": names, "value": values, "timestamp": [now_ms] * PER_ASSET}
            client.publish(f"digital_twin/a{asset}/telemetry", json.dumps(body), qos=1)
        ticks += 1
        time.sleep(max(0.0, began + ticks / HZ - time.monotonic()))
    sent.put(beyond)
    client.loop_stop()
    client.disconnect()


@contextlib.contextmanager
def listening(port: int) -> Iterator[dict[str, int]]:
    """When each alarm's event was first in a listener's hands, nanoseconds, by `<asset>/<rule>`; fills up."""
    heard: dict[str, int] = {}
    listener = paho.Client(CallbackAPIVersion.VERSION2, client_id="scada")

    def took(_client: object, _data: object, message: paho.MQTTMessage) -> None:
        event = json.loads(message.payload)
        if event.get("event") == "raised":
            heard.setdefault(f"{event['asset_id']}/{event['rule_id']}", time.time_ns())

    listener.on_message = took
    listener.connect("127.0.0.1", port)
    listener.subscribe("digital_twin/+/events", 1)
    listener.loop_start()
    try:
        yield heard
    finally:
        listener.loop_stop()
        listener.disconnect()


def latency(python: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder, port = Path(temporary), free_port()
        file = gateway_file(folder, port)
        with mosquitto(folder / "broker", port), running(python, file) as process, listening(port) as heard:
            time.sleep(3)
            sent: Queue[dict[str, int]] = Queue()
            publisher = Process(target=device, args=(port, SECONDS, sent))
            before, began = process.cpu_times(), time.monotonic()
            publisher.start()
            beyond = sent.get()
            spent = sum(process.cpu_times()[:2]) - sum(before[:2])
            elapsed = time.monotonic() - began
            publisher.join()
            time.sleep(1)
            resident = process.memory_info().rss / 1e6
            delays = [(heard[alarm] - at) / 1e6 for alarm, at in beyond.items() if alarm in heard]
            missing = len(beyond) - len(delays)
    rate = ASSETS * PER_ASSET * HZ
    print(f"{rate:,} values/s, {ASSETS * PER_ASSET:,} signals, {elapsed:.0f} s, default detectors")
    p50, p99 = np.percentile(delays, [50, 99])
    print(
        f"device value -> local alarm: p50 {p50:.0f} ms, p99 {p99:.0f} ms, most {max(delays):.0f} ms of {len(delays)}"
    )
    print(f"alarms that never came: {missing}")
    print(f"gateway process: {spent / elapsed * 100:.0f} % of a core, {resident:.0f} MB resident")


def installed(folder: Path) -> Path:
    """An environment with the gateway extra; its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "-c", ROOT / "constraints.txt"]
    subprocess.run([*pip, f"{ROOT}[gateway]"], check=True)
    packages = next(folder.glob("lib/python3*/site-packages"))
    size = sum(
        file.stat().st_size
        for file in packages.rglob("*")
        if file.is_file() and file.relative_to(packages).parts[0].split("-")[0] not in ("pip", "setuptools")
    )
    print(f"installed: {size / 1e6:.0f} MB (without pip and setuptools)")
    code = "import time; t = time.perf_counter(); import forewarn.app.gateway.running; print(time.perf_counter() - t)"
    took = [float(subprocess.check_output([python, "-c", code])) for _ in range(5)]
    print(f"import: {min(took):.2f} s at best, {sorted(took)[2]:.2f} s median of five")
    return python


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        given = [word.removeprefix("--python=") for word in sys.argv if word.startswith("--python=")]
        latency(Path(given[0]) if given else installed(Path(temporary) / "venv"))


if __name__ == "__main__":
    main()
