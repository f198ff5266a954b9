"""The drill against servers of other makers: every cable pulled, every process killed, and the sum at the end."""

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


def gateway_toml(opcua: int, modbus: int, mqtt: int) -> str:
    return f"""
[gateway]
name = "drilled"

[[source]]
name = "server"
connector = "opcua"
settings = {{ url = "opc.tcp://127.0.0.1:{opcua}/forewarn", sampling_interval_ms = 0, queue_size = 200 }}

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
        file.write_text(gateway_toml(opcua, modbus, mqtt))
        yield file


def drill(file: Path, keep: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "forewarn", "drill", "--config", str(file), "--keep", str(keep), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)


def values_at_site(directory: Path, signal: str) -> np.ndarray:
    """Good values of a signal in the order of their time."""
    with open_site_catalog(Settings(directory=directory)) as catalog:
        key = next(s.key for s in catalog.plant.signals() if s.id == signal)
    historian = load("historians", "parquet")(directory / "historian", flush_readings=1_000_000, flush_interval_s=30.0)
    try:
        found = historian.raw(np.array([key], np.int32), 0, 2**62)
    finally:
        historian.close()
    return found.value[is_good(found.quality)]


def test_every_cable_is_pulled_and_nothing_is_lost(plant: Path, tmp_path: Path) -> None:
    keep = tmp_path / "drill"
    done = drill(plant, keep, "--short")
    assert done.returncode == 0, done.stdout + done.stderr + (keep / "gateway.log").read_text()[-3000:]
    assert "0 lost, 0 changed, 0 doubled or strange" in done.stdout
    book = read_book(keep / "gateway" / "outbox")
    assert (book.fault, book.sums.adds_up, book.sums.pending) == ("", True, 0)
    assert book.sums.read > 1_000
    # What the machines themselves counted, independent of anything the gateway says: the broker keeps what we had not
    # acknowledged, and the server its history, so that not one number may be missing.
    for signal in ("p1.published", "p1.recorded"):
        counted = values_at_site(keep / "site", signal)
        assert np.array_equal(counted, np.arange(counted[0], counted[0] + len(counted))), signal
