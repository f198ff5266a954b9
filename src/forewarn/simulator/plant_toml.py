"""The demo plant written as a plant file."""

from collections.abc import Mapping

from forewarn.simulator import electrical
from forewarn.simulator.addresses import node_id, registers, signal_names
from forewarn.simulator.demo_plant import DEMO_MACHINES, DemoMachine, Wire
from forewarn.simulator.machines import FanRatings, Machine, MotorRatings, PumpRatings

_PLACES = """\
[enterprise]
id = "forewarn"
name = "Forewarn demo"

[[site]]
id = "pune"
name = "Pune works"

[[site]]
id = "nashik"
name = "Nashik works"

[[area]]
id = "water"
name = "Water treatment"

[[area]]
id = "utilities"
name = "Utilities"

[[area]]
id = "dye-house"
name = "Dye house"
"""


def demo_plant_toml(opcua_url: str, modbus_host: str, modbus_port: int, mqtt_host: str, mqtt_port: int) -> str:
    """The plant file of the demo plant, with the servers' addresses filled in."""
    sources = (
        _source("water-plc", "opcua", {"url": opcua_url, "publishing_interval_ms": 250.0}),
        _source("utilities-plc", "modbus", {"host": modbus_host, "port": modbus_port}),
        _source("dye-house-broker", "mqtt", {"host": mqtt_host, "port": mqtt_port}),
    )
    on_modbus = registers([d.machine for d in DEMO_MACHINES if d.wire is Wire.MODBUS])
    head = "# The simulated demo plant. Written by `forewarn simulate`; ratings are physically consistent.\n\n"
    return head + "\n".join((_PLACES, *sources, *(_asset(d, on_modbus) for d in DEMO_MACHINES)))


def _source(name: str, connector: str, settings: Mapping[str, str | float]) -> str:
    return f'[[source]]\nname = "{name}"\nconnector = "{connector}"\n\n[source.settings]\n{_table(settings)}'


def _asset(demo: DemoMachine, on_modbus: Mapping[str, int]) -> str:
    machine = demo.machine
    parts = [
        "[[asset]]",
        _table({"id": machine.id, "name": demo.name, "path": demo.path, "template": machine.template}),
        "[asset.specifications]",
        _table({**_nameplate(machine), **demo.specifications}),
        "[asset.defaults]",
        _table(_wire(demo.wire)),
    ]
    for name in signal_names(machine):
        own: dict[str, str | float] = {}
        if demo.wire is Wire.MODBUS:
            own["address"] = f"holding:{on_modbus[f'{machine.id}.{name}']}:float32:ABCD"
        if name in demo.low_limits:
            own["limits.low"] = demo.low_limits[name]
        if own:
            parts += [f"[asset.signals.{name}]", _table(own)]
    return "\n".join(parts)


def _wire(wire: Wire) -> dict[str, str | float]:
    """Source and address pattern; on Modbus each signal has its own register."""
    if wire is Wire.OPCUA:
        return {"source": "water-plc", "address": node_id("{id}")}
    if wire is Wire.MODBUS:
        return {"source": "utilities-plc"}
    return {"source": "dye-house-broker", "address": "{id}"}


def _nameplate(machine: Machine) -> dict[str, str | float]:
    """What is on the machine's plate, from the same ratings the physics uses."""
    r, d = machine.ratings, machine.ratings.drive
    plate: dict[str, str | float] = {
        "rated_power_kw": float(d.power),
        "rated_speed_rpm": float(d.speed),
        "rated_voltage_v": float(d.volts),
        "rated_current_a": round(float(electrical.rated_current(d.power, d.efficiency, d.volts)), 1),
    }
    if isinstance(r, PumpRatings):
        plate |= {
            "rated_flow_m3h": float(r.flow),
            "rated_head_m": float(r.head),
            "suction_pressure_bar": float(r.supply),
        }
    elif isinstance(r, MotorRatings):
        plate["rated_speed_rpm"] = round(float(d.speed) * (1.0 - float(r.slip)), 1)
    elif isinstance(r, FanRatings):
        plate |= {"rated_flow_m3h": float(r.flow), "rated_dp_pa": float(r.pressure)}
    else:
        plate["rated_flow_m3h"] = float(r.flow)
    return plate


def _table(entries: Mapping[str, str | float]) -> str:
    return "".join(f"{key} = {_value(value)}\n" for key, value in entries.items())


def _value(value: str | float) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
