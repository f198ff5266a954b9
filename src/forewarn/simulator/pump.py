"""Centrifugal pump with a speed-controlled motor."""

from typing import ClassVar

import numpy as np

from forewarn.simulator import electrical, hydraulics, thermal, vibration
from forewarn.simulator.machines import PumpRatings, stacked
from forewarn.simulator.model import Conditions, Sensor, Truth
from forewarn.simulator.quantities import ABSOLUTE_BAR_PER_METRE, Array, Number

_SHUTOFF = 1.22  # head at zero flow over rated head
_STRAINER = 0.3  # head lost in the clean suction strainer at rated flow, m
_SUCTION_VELOCITY = 2.0  # m/s at rated flow: sizes the suction pipe
_CAVITATING = 0.72  # NPSHa / NPSH3 that a cavitation fault of severity 1 leads to


class Pump:
    """Template `centrifugal_pump`; ratings as columns [machines]."""

    sensors: ClassVar[tuple[Sensor, ...]] = (
        Sensor("speed", "rpm", relative=0.0006, resolution=0.1, floor=0.0),
        Sensor("flow", "m3/h", relative=0.004, floor=0.0, unsteady=True),
        Sensor("suction_pressure", "bar", noise=0.008, unsteady=True),
        Sensor("discharge_pressure", "bar", noise=0.012, relative=0.001, unsteady=True),
        Sensor("bearing_temperature", "degC", noise=0.12),
        Sensor("casing_temperature", "degC", noise=0.12),
        Sensor("vibration", "mm/s", relative=0.035, floor=0.0),
        Sensor("motor_current", "A", relative=0.005, floor=0.0),
        Sensor("motor_power", "kW", relative=0.005, floor=0.0),
        Sensor("seal_leakage", "mL/h", relative=0.03, floor=0.0),
        Sensor("ambient_temperature", "degC", noise=0.06),
    )

    def __init__(self, ratings: list[PumpRatings]) -> None:
        self.ratings = p = stacked(ratings)
        self.drive, self.rotor = p.drive, p.rotor
        square = p.flow * p.flow
        self._steepness = (_SHUTOFF - 1.0) * p.head / square
        self._friction = ((1.0 - p.static) * p.head - _STRAINER) / square
        self._strainer = _STRAINER / square
        self._suction_area = p.flow / 3600.0 / _SUCTION_VELOCITY

    def evaluate(self, c: Conditions) -> Truth:
        p = self.ratings
        wear, bearing = c.of("impeller_wear"), c.of("bearing_wear")
        flow, lift, suction, lost = self._operating_point(c)
        best = p.best_efficiency * (1.0 - 0.2 * wear) * (1.0 - lost)
        shaft = hydraulics.shaft_power(flow, lift, c.ratio, p.flow, best)
        shaft = shaft + 0.01 * p.drive.power * c.ratio * (1.0 + 2.0 * bearing)
        power_in = electrical.input_power(shaft, p.drive.power, p.drive.efficiency, c.running)
        warm = thermal.bearing_steady(c.ambient, p.rotor.bearing_rise, c.ratio, shaft / p.drive.power, bearing)
        case = thermal.casing_steady(c.ambient, p.fluid, shaft - hydraulics.hydraulic_power(flow, lift), flow)
        gap = 1.0 + 2.6 * c.of("seal_leak")
        values = {
            "speed": p.drive.speed * c.ratio,
            "flow": flow,
            "suction_pressure": suction,
            "discharge_pressure": suction + lift * ABSOLUTE_BAR_PER_METRE,
            "bearing_temperature": c.lag("bearing", np.asarray(warm), thermal.BEARING_TAU_S),
            "casing_temperature": c.lag("casing", case, thermal.CASING_TAU_S),
            "vibration": self._vibration(c, flow, lost),
            "motor_current": electrical.current(
                power_in, p.drive.volts * c.grid, p.drive.power, p.drive.efficiency, c.running
            ),
            "motor_power": np.asarray(power_in),
            # Laminar flow through a narrow gap goes with its cube and with the pressure across it (~ N^2).
            "seal_leakage": np.asarray(p.leakage * gap**3 * (0.15 + 0.85 * c.ratio * c.ratio)),
            "ambient_temperature": c.ambient,
        }
        return Truth(values, 1.0 + 12.0 * np.tanh(lost / 0.05))

    def _operating_point(self, c: Conditions) -> tuple[Array, Array, Array, Array]:
        """Flow m3/h, head m, suction pressure bar gauge, share of head lost to cavitation.

        The loss depends on the flow and the flow on the loss: two rounds bring them together."""
        p = self.ratings
        strainer = self._strainer * (1.0 + 45.0 * c.of("clogged_filter"))
        shutoff = _SHUTOFF * p.head * (1.0 - 0.28 * c.of("impeller_wear"))
        static, friction = p.static * p.head, self._friction + strainer
        lost = np.zeros_like(c.ratio)
        for _ in range(3):
            flow = hydraulics.operating_flow(c.ratio, shutoff * (1.0 - lost), self._steepness, static, friction)
            suction, available = self._suction(c, flow, strainer)
            required = hydraulics.npsh_required(flow, c.ratio, p.flow, p.npsh)
            lost = 0.5 * lost + 0.5 * hydraulics.cavitation_head_loss(available, required) * c.running
        # What the pump makes is what the system takes; against the shut check valve it is the shut-off head.
        shut = shutoff * (1.0 - lost) * c.ratio * c.ratio
        lift = np.where(flow > 0.0, shut - self._steepness * flow * flow, shut)
        return flow, lift, suction, lost

    def _suction(self, c: Conditions, flow: Array, strainer: Number) -> tuple[Array, Number]:
        """Pressure at the suction flange, bar gauge, and NPSHa, m. The fault throttles the supply: NPSHa sinks
        geometrically from what it is to `_CAVITATING` of what the pump needs."""
        p = self.ratings
        suction = p.supply - strainer * flow * flow * ABSOLUTE_BAR_PER_METRE
        available = hydraulics.npsh_available(suction, flow, self._suction_area, p.fluid)
        if "cavitation" in c.severity:
            share = 1.0 - (1.0 - c.severity["cavitation"]) ** 2
            full = np.maximum(available, 0.1)
            sunk = full ** (1.0 - share) * np.minimum(full, _CAVITATING * p.npsh) ** share
            suction = suction - (full - sunk) * ABSOLUTE_BAR_PER_METRE
            available = sunk
        return np.asarray(suction), available

    def _vibration(self, c: Conditions, flow: Array, lost: Array) -> Array:
        p, r = self.ratings, self.rotor
        off_best = flow / p.flow - c.ratio
        return vibration.overall(
            vibration.imbalance(
                r.imbalance, c.ratio, np.minimum(c.of("imbalance") + 0.15 * c.of("impeller_wear"), 1.0)
            ),
            r.misalignment * c.ratio,
            vibration.bearing(r.scale, c.ratio, c.of("bearing_wear")),
            vibration.cavitation(r.scale, lost),
            0.5 * r.scale * c.ratio * (1.0 + 2.0 * off_best * off_best),
        )
