"""The drill against servers of other makers: every cable pulled, every process killed, and the sum at the end."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from forewarn.app.plugins import load
from forewarn.app.settings import Settings
from forewarn.app.site_catalog import open_site_catalog
from forewarn.domain.status import is_good
from forewarn.gateway.ledger_book import read_book
from tests.peers.processes import free_port, mosquitto, node_peer, python_peer

LIMIT_S = 600


def gateway_toml(opcua: int, modbus: int, mqtt: int, history: Path | None = None) -> str:
    """history: folder in which holes that are yet to be filled outlive a kill."""
    owed = "" if history is None else f', history = {{ folder = "{history}" }}'
    return f"""
[gateway]
name = "drilled"

[[source]]
name = "server"
connector = "opcua"
settings = {{ url = "opc.tcp://127.0.0.1:{opcua}/forewarn", sampling_interval_ms = 0, queue_size = 200{owed} }}

[[source]]
name = "plc"
connector = "modbus"
settings = {{ host = "127.0.0.1", port = {modbus}, poll_interval_s = 0.2, timeout_s = 1 }}

[[source]]
name = "broker"
connector = "mqtt"
settings = {{ host = "127.0.0.1", port = {mqtt}, topics = ["plant/+/telemetry"], keepalive_s = 1 }}

[[asset]]
id = "p1"
path = "acme/pune/water/line-1"

[asset.signals.recorded]
kind = "count"
unit = "1"
source = "server"
address = "ns=1;s=pump.recorded"

[asset.signals.vibration]
kind = "vibration_velocity"
unit = "mm/s"
source = "server"
address = "ns=1;s=pump.vibration"

[asset.signals.register]
kind = "other"
unit = "1"
source = "plc"
address = "holding:7:uint16"

[asset.signals.published]
kind = "count"
unit = "1"
source = "broker"
address = "p1:count"
"""


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Path]:
    """A gateway file for three real peers that run: node-opcua with history, libmodbus, Mosquitto with a machine."""
    opcua, modbus, mqtt = free_port(), free_port(), free_port()
    with ExitStack() as peers:
        peers.enter_context(node_peer("opcua_server.js", str(tmp_path / "pki"), "history", port=opcua))
        peers.enter_context(python_peer("libmodbus_server.py", port=modbus))
        peers.enter_context(mosquitto(tmp_path / "mosquitto", mqtt))
        peers.enter_context(python_peer("mqtt_publisher.py", "plant/p1/telemetry", port=mqtt))
        file = tmp_path / "gateway.toml"
        file.write_text(gateway_toml(opcua, modbus, mqtt, tmp_path / "history"))
        yield file


def drill(file: Path, keep: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "forewarn", "drill", "--config", str(file), "--keep", str(keep), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)


def values_at_site(directory: Path, signal: str) -> np.ndarray:
    """Good values of a signal in the order of their time."""
    return readings_at_site(directory, signal)[1]


def readings_at_site(directory: Path, signal: str) -> tuple[np.ndarray, np.ndarray]:
    """Times and values of good readings of a signal, in order."""
    with open_site_catalog(Settings(directory=directory)) as catalog:
        key = next(s.key for s in catalog.plant.signals() if s.id == signal)
    historian = load("historians", "parquet")(directory / "historian", flush_readings=1_000_000, flush_interval_s=30.0)
    try:
        found = historian.raw(np.array([key], np.int32), 0, 2**62)
    finally:
        historian.close()
    good = is_good(found.quality)
    return found.time[good], found.value[good]


def owed(folder: Path, source: str, signal: str) -> list[tuple[int, int]]:
    """Between which source times the gateway knows that it has yet to read the server's history."""
    file = folder / f"{source}.owed.json"
    holes = json.loads(file.read_text()).get(signal, []) if file.exists() else []
    return [(since, 2**62 if until is None else until) for since, until in holes]


@pytest.mark.slow
def test_every_cable_is_pulled_and_nothing_is_lost(plant: Path, tmp_path: Path) -> None:
    keep = tmp_path / "drill"
    done = drill(plant, keep, "--short")
    assert done.returncode == 0, done.stdout + done.stderr + (keep / "gateway.log").read_text()[-3000:]
    assert "0 lost, 0 changed, 0 doubled or strange" in done.stdout
    book = read_book(keep / "gateway" / "outbox")
    assert (book.fault, book.sums.adds_up, book.sums.pending) == ("", True, 0)
    assert book.sums.read > 1_000
    # What the machines themselves counted, independent of anything the gateway says: the broker keeps what we had not
    # acknowledged, so that not one number may be missing.
    counted = values_at_site(keep / "site", "p1.published")
    assert np.array_equal(counted, np.arange(counted[0], counted[0] + len(counted)))
    # The server keeps its history. On a busy machine the drill takes it away while the last hole is being filled: what
    # is missing then is what the gateway has on record to ask for.
    time, counted = readings_at_site(keep / "site", "p1.recorded")
    holes = owed(tmp_path / "history", "server", "p1.recorded")
    step = np.diff(counted)
    assert (step > 0).all()
    for k in np.flatnonzero(step != 1):
        assert any(since <= time[k] and time[k + 1] <= until for since, until in holes), (counted[k : k + 2], holes)
