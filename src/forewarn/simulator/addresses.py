"""Where each signal of the demo plant lies on its wire."""

from collections.abc import Mapping, Sequence
from typing import Final

from forewarn.simulator.catalogue import SENSORS
from forewarn.simulator.machines import Machine

REGISTERS_PER_MACHINE: Final = 100
MQTT_TOPIC: Final = "digital_twin/{asset}/telemetry"


def signal_names(machine: Machine) -> list[str]:
    return [s.name for s in SENSORS[machine.template]]


def registers(machines: Sequence[Machine]) -> Mapping[str, int]:
    """First holding register (zero based) of each signal id: float32, two registers, a hundred for each machine."""
    return {
        f"{machine.id}.{name}": REGISTERS_PER_MACHINE * place + 2 * index
        for place, machine in enumerate(machines)
        for index, name in enumerate(signal_names(machine))
    }


def node_id(signal_id: str) -> str:
    return f"ns=2;s={signal_id}"
