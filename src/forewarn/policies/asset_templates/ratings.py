"""What the nameplate says, and formulas over it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from forewarn.policies.zones import Specifications

GRAVITY: Final = 9.80665
WATER_DENSITY: Final = 998.2  # kg/m3 at 20 degC, where density_kg_m3 is not stated

RATINGS: Final[Mapping[str, str]] = {
    "rated_power_kw": "shaft power at the rated point, kW",
    "rated_speed_rpm": "speed at the rated point, 1/min",
    "rated_speed_m_s": "belt speed of a conveyor, m/s",
    "rated_current_a": "current at rated power, A",
    "rated_voltage_v": "rated voltage, V",
    "rated_flow_m3h": "flow at the rated point, m3/h",
    "rated_head_m": "head of a pump at the rated point, m",
    "rated_dp_pa": "pressure rise of a fan at the rated point, Pa",
    "rated_discharge_pressure_bar": "discharge pressure at the rated point, bar; else suction + head",
    "suction_pressure_bar": "usual suction pressure, bar",
    "density_kg_m3": f"density of the liquid, kg/m3; {WATER_DENSITY} (water) where not stated",
    "max_bearing_temperature_c": "highest allowed bearing temperature, degC",
    "max_casing_temperature_c": "highest allowed casing temperature, degC",
    "max_winding_temperature_c": "highest allowed winding temperature, degC; else from insulation_class",
    "max_discharge_temperature_c": "highest allowed discharge temperature, degC",
    "max_oil_temperature_c": "highest allowed oil temperature, degC",
    "max_seal_leakage_ml_h": "leakage at which the seal must be changed, mL/h",
    "max_filter_dp_bar": "pressure drop at which the filter must be changed, bar",
    "min_oil_pressure_bar": "oil pressure below which the machine must stop, bar",
    "rated_belt_tension_kn": "belt tension at the rated load, kN",
    "bearing_balls": "rolling elements in a row of the bearing beside the accelerometer",
    "bearing_pitch_mm": "diameter of the circle of their centres, mm",
    "bearing_ball_mm": "diameter of a rolling element, mm",
    "bearing_contact_deg": "contact angle, degrees; 0 where not stated",
}
CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "mounting": ("rigid", "flexible"),
    "iso_standard": ("10816-1", "20816-3", "10816-7"),
    "iso_class": ("I", "II", "III", "IV"),
    "insulation_class": ("A", "E", "B", "F", "H"),
    "compressor_type": ("screw", "reciprocating"),
}
MAY_BE_NEGATIVE: Final = frozenset({"suction_pressure_bar", "bearing_contact_deg"})
_INSULATION_CELSIUS: Final = {"A": 105.0, "E": 120.0, "B": 130.0, "F": 155.0, "H": 180.0}  # IEC 60085:2007 table 1


class Ratings:
    """Numbers from an asset's specifications, some derived from others."""

    def __init__(self, specifications: Specifications) -> None:
        self._specifications = specifications

    def get(self, name: str) -> float | None:
        """None where it is neither stated nor follows from what is stated."""
        value = self._specifications.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        if name == "rated_discharge_pressure_bar":
            return self._pump_discharge()
        if name == "max_winding_temperature_c":
            return _INSULATION_CELSIUS.get(str(self._specifications.get("insulation_class")))
        return None

    def _pump_discharge(self) -> float | None:
        suction, head = self.get("suction_pressure_bar"), self.get("rated_head_m")
        if suction is None or head is None:
            return None
        return suction + head * (self.get("density_kg_m3") or WATER_DENSITY) * GRAVITY / 1e5


@dataclass(frozen=True, slots=True)
class Of:
    """`rating * factor + offset`; absent where the rating is, or where a factor meets a rating <= 0.

    A product has three significant digits: a share like 0.7 knows no more, and 3.29936 bar would feign it does."""

    rating: str
    factor: float = 1.0
    offset: float = 0.0

    def value(self, ratings: Ratings) -> float | None:
        rating = ratings.get(self.rating)
        if rating is None or (self.factor != 1.0 and rating <= 0):
            return None
        derived = rating if self.factor == 1.0 else float(f"{rating * self.factor:.3g}")
        return round(derived + self.offset, 6)


Amount = Of | float | None


def amount(of: Amount, ratings: Ratings) -> float | None:
    return of.value(ratings) if isinstance(of, Of) else of
