"""Vibration severity zones A-D by machine class: limits in mm/s RMS velocity, 10-1000 Hz (2-1000 Hz below 600 rpm).

Editions: ISO 10816-1:1995 table B.1, ISO 20816-3:2022 (same figures as ISO 10816-3:2009) tables A.1 and A.2,
ISO 10816-7:2009 table A.1. The rows of parts 3 and 7 agree with independent code citing GB/T 6075.3 and 6075.7;
those of part 1 are from memory of the standard: compare with a bought copy before relying on them for acceptance.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from forewarn.domain.assets import Limits
from forewarn.domain.errors import InvalidInput

Specifications = Mapping[str, str | float | int | bool]


@dataclass(frozen=True, slots=True)
class Zones:
    """Boundaries in mm/s. A: as new. B: fit for long running. C: limited time. D: damage."""

    standard: str
    machine: str
    a_b: float
    b_c: float
    c_d: float

    def zone(self, velocity: float) -> str:
        """Letter of the zone; a value on a boundary takes the lower (better) zone."""
        if velocity <= self.a_b:
            return "A"
        if velocity <= self.b_c:
            return "B"
        return "C" if velocity <= self.c_d else "D"

    @property
    def limits(self) -> Limits:
        """high is the B/C boundary, high_critical the C/D boundary."""
        return Limits(high=self.b_c, high_critical=self.c_d)


ISO_10816_1: Final = "10816-1"
ISO_20816_3: Final = "20816-3"
ISO_10816_7: Final = "10816-7"
STANDARDS: Final = (ISO_10816_1, ISO_20816_3, ISO_10816_7)

ZONES: Final[Mapping[tuple[str, str], Zones]] = {
    (z.standard, z.machine): z
    for z in (
        Zones(ISO_20816_3, "group 1 rigid", 2.3, 4.5, 7.1),
        Zones(ISO_20816_3, "group 1 flexible", 3.5, 7.1, 11.0),
        Zones(ISO_20816_3, "group 2 rigid", 1.4, 2.8, 4.5),
        Zones(ISO_20816_3, "group 2 flexible", 2.3, 4.5, 7.1),
        Zones(ISO_10816_7, "category I up to 200 kW", 2.5, 4.0, 6.6),
        Zones(ISO_10816_7, "category I above 200 kW", 3.5, 5.0, 7.6),
        Zones(ISO_10816_7, "category II up to 200 kW", 3.2, 5.1, 8.5),
        Zones(ISO_10816_7, "category II above 200 kW", 4.2, 6.1, 9.5),
        Zones(ISO_10816_1, "class I", 0.71, 1.8, 4.5),
        Zones(ISO_10816_1, "class II", 1.12, 2.8, 7.1),
        Zones(ISO_10816_1, "class III", 1.8, 4.5, 11.2),
        Zones(ISO_10816_1, "class IV", 2.8, 7.1, 18.0),
    )
}


def vibration_zones(standard: str, specifications: Specifications) -> Zones:
    """Zones of a machine by `standard`, from its rated_power_kw, mounting and iso_class.

    `iso_standard` among the specifications goes before `standard`. Nothing is guessed: raises InvalidInput that
    names the missing or wrong specification (in `field`) and what it may be.
    """
    chosen = str(specifications.get("iso_standard", standard))
    if chosen not in STANDARDS:
        raise InvalidInput(f"iso_standard {chosen!r} is none of {', '.join(STANDARDS)}", field="iso_standard")
    if chosen == ISO_10816_7:
        return _pump(specifications)
    return _part_3(specifications) if chosen == ISO_20816_3 else _part_1(specifications)


def _pump(specifications: Specifications) -> Zones:
    category = _choice(
        specifications, "iso_class", ("I", "II"), "the pump's ISO 10816-7 category (I: high reliability)"
    )
    power = _power(specifications, 1.0, ISO_10816_7)
    return ZONES[ISO_10816_7, f"category {category} {'up to' if power <= 200 else 'above'} 200 kW"]


def _part_3(specifications: Specifications) -> Zones:
    power = _power(specifications, 0.0, ISO_20816_3)
    if power <= 15:  # part 3 begins above 15 kW; part 1 has a class for small machines
        return ZONES[ISO_10816_1, "class I"]
    mounting = _choice(specifications, "mounting", ("rigid", "flexible"), "how the machine stands")
    return ZONES[ISO_20816_3, f"group {1 if power > 300 else 2} {mounting}"]


def _part_1(specifications: Specifications) -> Zones:
    if "iso_class" in specifications:
        return ZONES[
            ISO_10816_1, f"class {_choice(specifications, 'iso_class', ('I', 'II', 'III', 'IV'), 'the machine class')}"
        ]
    power = _power(specifications, 0.0, ISO_10816_1)
    if power <= 75:
        return ZONES[ISO_10816_1, "class I" if power <= 15 else "class II"]
    mounting = _choice(specifications, "mounting", ("rigid", "flexible"), "how the machine stands")
    return ZONES[ISO_10816_1, "class III" if mounting == "rigid" else "class IV"]


def _power(specifications: Specifications, above: float, standard: str) -> float:
    power = specifications.get("rated_power_kw")
    if isinstance(power, bool) or not isinstance(power, int | float):
        raise InvalidInput(f"ISO {standard} asks for specifications.rated_power_kw (a number)", field="rated_power_kw")
    if not power > above:
        raise InvalidInput(
            f"ISO {standard} begins above {above:g} kW, rated_power_kw is {power}", field="rated_power_kw"
        )
    return float(power)


def _choice(specifications: Specifications, key: str, allowed: tuple[str, ...], meaning: str) -> str:
    value = specifications.get(key)
    if value in allowed:
        return str(value)
    said = "is missing" if value is None else f"is {value!r}"
    options = " or ".join(f'"{a}"' for a in allowed)
    raise InvalidInput(f"specifications.{key} {said}: state {options}, {meaning}", field=key)
