"""Cause, consequence and action (ISA-18.2 rationalisation) by what is measured and which way it went."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class AlarmText:
    cause: str
    consequence: str
    action: str
    response_minutes: int = 60


_BY_KIND: Final[Mapping[tuple[str, str], AlarmText]] = {
    ("vibration_velocity", "high"): AlarmText(
        "Imbalance, misalignment, looseness or a worn bearing",
        "Bearing and seal life shortens; in zone D the machine is being damaged",
        "Compare with the speed and load trend, take a spectrum, check foundation bolts and coupling",
        240,
    ),
    ("temperature", "high"): AlarmText(
        "Overload, lack of lubricant or cooling, or friction",
        "Lubricant and insulation age fast; seizure or burn-out follows",
        "Check load, lubrication and cooling; reduce load; stop if it keeps rising",
        30,
    ),
    ("temperature", "low"): AlarmText(
        "Heating lost, or the sensor is not in contact",
        "Viscosity rises, condensate forms",
        "Check heating and the sensor's seat",
    ),
    ("pressure", "high"): AlarmText(
        "Closed or throttled valve downstream, or a blocked line",
        "Overpressure on casing, seals and pipework",
        "Check the valves downstream and the relief path",
        15,
    ),
    ("pressure", "low"): AlarmText(
        "Leak, wear, clogged inlet or lost supply",
        "Output falls; a pump may cavitate and a bearing may run dry",
        "Check supply, strainers and leaks",
        15,
    ),
    ("differential_pressure", "high"): AlarmText(
        "Clogged filter or duct",
        "Flow falls and power rises; the filter may burst",
        "Inspect and change the filter",
        480,
    ),
    ("differential_pressure", "low"): AlarmText(
        "Damaged filter, open bypass or lost flow",
        "Dirt passes, or the process gets no flow",
        "Inspect filter and bypass",
    ),
    ("flow", "high"): AlarmText(
        "Lost back pressure or an open bypass",
        "Driver overload and cavitation",
        "Check downstream valves and leaks",
        30,
    ),
    ("flow", "low"): AlarmText(
        "Throttled or clogged line, wear, or air in the inlet",
        "Heat and recirculation damage the machine; the process starves",
        "Check valves, strainers and inlet conditions",
        30,
    ),
    ("speed", "high"): AlarmText(
        "Drive control fault or lost load",
        "Overspeed damages rotating parts",
        "Stop the machine by its own controls and check the drive",
        5,
    ),
    ("speed", "low"): AlarmText(
        "Overload, slip or supply dip", "Output falls, the driver heats", "Check load and supply", 30
    ),
    ("current", "high"): AlarmText(
        "Overload, mechanical drag or low voltage",
        "Windings overheat; the protection will trip",
        "Reduce load; check voltage, bearings and coupling",
        30,
    ),
    ("current", "low"): AlarmText(
        "Lost load, broken coupling or dry running", "No output", "Check coupling and flow", 30
    ),
    ("power", "high"): AlarmText(
        "Overload or mechanical drag", "Windings overheat; energy is wasted", "Reduce load; look for friction", 30
    ),
    ("power", "low"): AlarmText("Lost load or dry running", "No output", "Check coupling and flow", 30),
    ("voltage", "high"): AlarmText(
        "Supply or regulator fault", "Insulation is stressed", "Tell the electrical team", 30
    ),
    ("voltage", "low"): AlarmText(
        "Supply dip or overloaded feeder", "Current rises and torque falls", "Tell the electrical team", 30
    ),
    ("leakage", "high"): AlarmText(
        "Worn or dry-running seal faces",
        "Product is lost and may reach bearing or ground",
        "Check flush and seal pot; plan a seal change",
        240,
    ),
    ("force", "high"): AlarmText(
        "Overload or tensioner fault", "Belt and bearings are overloaded", "Check tensioner", 60
    ),
    ("force", "low"): AlarmText(
        "Stretched belt or tensioner fault", "The belt slips and wears", "Retension the belt", 60
    ),
    ("level", "high"): AlarmText("Outlet blocked or inlet stuck open", "Overflow", "Check inlet and outlet", 15),
    ("level", "low"): AlarmText("Supply lost or leak", "Dry running", "Check supply and leaks", 15),
}
_BY_SIGNAL: Final[Mapping[tuple[str, str, str], AlarmText]] = {
    ("centrifugal_pump", "suction_pressure", "low"): AlarmText(
        "Clogged strainer, low tank level or a throttled suction valve",
        "Cavitation erodes the impeller; the seal runs dry",
        "Clean the strainer, check tank level and suction valve; throttle the discharge until it recovers",
        15,
    ),
    ("centrifugal_pump", "discharge_pressure", "low"): AlarmText(
        "Worn impeller or wear rings, air, cavitation or a burst line",
        "The process loses pressure",
        "Compare flow and power with the pump curve; check suction and downstream leaks",
        30,
    ),
    ("centrifugal_pump", "discharge_pressure", "high"): AlarmText(
        "Discharge valve closed: the pump runs at shut-off",
        "Liquid in the casing boils; seal and bearings fail",
        "Open the discharge valve or the minimum-flow line",
        10,
    ),
    ("compressor", "discharge_temperature", "high"): AlarmText(
        "Dirty cooler, leaking valves, or low oil flow",
        "Oil carbonises and may ignite; rotors or valves fail",
        "Check cooler, oil level and valve temperatures; unload or stop",
        10,
    ),
    ("gearbox", "oil_temperature", "high"): AlarmText(
        "Overload, wrong oil level or a blocked cooler",
        "The oil film breaks and teeth scuff",
        "Check oil level, cooler and load; take an oil sample",
        60,
    ),
}
_BY_OUTCOME: Final[Mapping[str, AlarmText]] = {
    "high": AlarmText("The value is above its limit", "See the machine's manual", "Inspect the machine"),
    "low": AlarmText("The value is below its limit", "See the machine's manual", "Inspect the machine"),
    "silent": AlarmText(
        "Sensor, cable, gateway or source has failed",
        "The machine is not watched",
        "Check the source on the Admin page, then sensor and cable",
        120,
    ),
    "finding": AlarmText(
        "The signal behaves unlike its own past",
        "Unknown: the evidence is statistical",
        "Look at the trend with its neighbours and say whether it is real",
        480,
    ),
}
_OIL_PRESSURE_LOW: Final = AlarmText(
    "Low oil level, clogged oil filter or a worn oil pump",
    "Bearings run dry within minutes",
    "Stop the machine by its own controls, then check oil level and filter",
    5,
)


def alarm_text(template: str, signal_name: str, kind: str, outcome: str) -> AlarmText:
    """Texts for one signal. outcome: high, low, silent or finding. The most particular text that exists.

    Raises KeyError for another outcome.
    """
    if outcome == "low" and signal_name.lower().startswith("oil_pressure"):
        return _OIL_PRESSURE_LOW
    particular = _BY_SIGNAL.get((template, signal_name, outcome))
    return particular or _BY_KIND.get((kind, outcome)) or _BY_OUTCOME[outcome]
