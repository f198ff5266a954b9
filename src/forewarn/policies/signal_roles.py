"""What a signal is to its machine, from its kind and name: a pressure may be the suction's, the discharge's or the
oil's."""

import re
from collections.abc import Mapping
from typing import Final

_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+[a-z]?")
_BY_KIND: Final[Mapping[str, str]] = {
    "vibration_velocity": "vibration",
    "vibration_acceleration": "vibration",
    "flow": "flow",
    "speed": "speed",
    "current": "current",
    "voltage": "voltage",
    "power": "power",
    "torque": "torque",
    "force": "tension",
    "leakage": "leakage",
}
# The first whose words the name holds; a kind without one that fits has no role.
_BY_NAME: Final[Mapping[str, tuple[tuple[str, frozenset[str]], ...]]] = {
    "vibration_velocity": (
        ("vibration_1x", frozenset({"1x"})),
        ("vibration_2x", frozenset({"2x"})),
    ),
    "pressure": (
        ("oil_pressure", frozenset({"oil", "lube", "lubricant"})),
        ("suction_pressure", frozenset({"suction", "inlet", "intake"})),
        ("discharge_pressure", frozenset({"discharge", "outlet", "delivery"})),
    ),
    "differential_pressure": (
        ("filter_dp", frozenset({"filter", "strainer"})),
        ("pressure_rise", frozenset({"dp", "rise", "head", "differential", "fan", "pump", "stage"})),
    ),
    "temperature": (
        ("oil_temperature", frozenset({"oil", "lube", "lubricant"})),
        ("bearing_temperature", frozenset({"bearing"})),
        ("winding_temperature", frozenset({"winding", "stator"})),
        ("discharge_temperature", frozenset({"discharge", "outlet", "delivery"})),
        ("casing_temperature", frozenset({"casing", "case", "housing"})),
    ),
}
ROLES: Final = frozenset(_BY_KIND.values()) | {role for rows in _BY_NAME.values() for role, _ in rows}
_SPOKEN: Final[Mapping[str, str]] = {
    "filter_dp": "pressure drop of the filter",
    "vibration_1x": "vibration at shaft speed",
    "vibration_2x": "vibration at twice shaft speed",
}


def role_of(name: str, kind: str) -> str:
    """'' where it is none that faults are known by.

    >>> role_of("Oil_Pressure_bar", "pressure"), role_of("bearing_temperature_de", "temperature"), role_of("x", "level")
    ('oil_pressure', 'bearing_temperature', '')
    """
    words = {w.lower() for w in _WORDS.findall(name)}
    for role, wanted in _BY_NAME.get(kind, ()):
        if words & wanted:
            return role
    return _BY_KIND.get(kind, "")


def spoken(role: str) -> str:
    """As people say it."""
    return _SPOKEN.get(role, role.replace("_", " "))
