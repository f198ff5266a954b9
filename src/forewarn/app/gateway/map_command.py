"""`forewarn gateway map`: what the SCADA reads where, of a file's Modbus status output."""

import tempfile
from pathlib import Path
from typing import NoReturn

from forewarn.app.gateway.file_plant import FilePlantView
from forewarn.app.gateway.reading import read_gateway_file
from forewarn.app.plugins import load
from forewarn.contracts.output import Mapped
from forewarn.domain.errors import ConfigurationError
from forewarn.gateway.board import Board
from forewarn.gateway.local.alarms import LocalAlarms
from forewarn.gateway.local.database import Memory
from forewarn.gateway.local.keys import SignalKeys, rules_with_keys
from forewarn.policies.rules import default_rules


def status_map(file: Path, output: str) -> str:
    """CSV; the same as long as the file's assets and alarm rules are. output: the plugin. Raises ConfigurationError."""
    _, plant = read_gateway_file(file)
    mapped: object = load("outputs", output)
    if not isinstance(mapped, Mapped):
        raise ConfigurationError(f"output {output!r} needs no map: its other side finds everything by itself")
    with tempfile.TemporaryDirectory() as folder:
        memory = Memory(Path(folder))
        try:
            signals = SignalKeys(Path(folder), memory).take(plant)
            alarms = LocalAlarms(memory, rules_with_keys(default_rules(plant), signals))
            board = Board(FilePlantView(plant, signals), alarms, _no_status)
            return mapped.map_text(board)
        finally:
            memory.close()


def _no_status() -> NoReturn:
    raise AssertionError("the map depends on the plant alone")
