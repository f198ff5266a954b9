"""Fan, compressor, conveyor, gearbox."""

from dataclasses import replace
from typing import Final

from forewarn.domain.assets import Component
from forewarn.policies.asset_templates.model import AssetTemplate, SignalTemplate
from forewarn.policies.asset_templates.pumps import (
    BEARING,
    CURRENT,
    DISCHARGE,
    FLOW,
    OIL_PRESSURE,
    SPEED,
    SUCTION,
    VIBRATION_SIGNAL,
)
from forewarn.policies.asset_templates.ratings import Of
from forewarn.policies.zones import ISO_10816_1

_BEARINGS: Final = (
    Component("bearing_drive_end", ("VIB", "OHE", "NOI", "BRD")),
    Component("bearing_non_drive_end", ("VIB", "OHE", "NOI", "BRD")),
)

FAN: Final = AssetTemplate(
    "fan",
    "Fan",
    (
        SPEED,
        FLOW,
        SignalTemplate(
            "dp",
            "differential_pressure",
            "Pa",
            range=(-500.0, Of("rated_dp_pa", 3.0)),
            low_critical=Of("rated_dp_pa", 0.4),
            low=Of("rated_dp_pa", 0.6),
            high=Of("rated_dp_pa", 1.4),
            high_critical=Of("rated_dp_pa", 1.6),
            deadband=Of("rated_dp_pa", 0.03),
            flatline_s=600.0,
        ),
        CURRENT,
        BEARING,
        VIBRATION_SIGNAL,
    ),
    (
        Component("impeller", ("VIB", "LOO", "BRD")),
        *_BEARINGS,
        Component("belt_drive", ("VIB", "NOI", "BRD")),
        Component("inlet_filter", ("PLU", "LOO")),
    ),
)

COMPRESSOR: Final = AssetTemplate(
    "compressor",
    "Compressor",
    (
        SPEED,
        SUCTION,
        replace(
            DISCHARGE,
            high=Of("rated_discharge_pressure_bar", 1.05),
            high_critical=Of("rated_discharge_pressure_bar", 1.10),
        ),
        SignalTemplate(
            "discharge_temperature",
            "temperature",
            "degC",
            range=(-50.0, 400.0),
            high=Of("max_discharge_temperature_c", offset=-10.0),
            high_critical=Of("max_discharge_temperature_c"),
            deadband=1.0,
            max_rate_per_s=10.0,
            flatline_s=1800.0,
        ),
        OIL_PRESSURE,
        CURRENT,
        VIBRATION_SIGNAL,
        SignalTemplate(
            "filter_dp",
            "differential_pressure",
            "bar",
            range=(-0.5, Of("max_filter_dp_bar", 10.0)),
            high=Of("max_filter_dp_bar", 0.8),
            high_critical=Of("max_filter_dp_bar"),
            deadband=Of("max_filter_dp_bar", 0.03),
            flatline_s=3600.0,
        ),
        FLOW,
    ),
    (
        *_BEARINGS,
        Component("shaft_seal", ("ELP", "ELU")),
        Component("inlet_filter", ("PLU", "LOO")),
        Component("lubrication", ("ELU", "PDE", "OHE")),
        Component("cooler", ("OHE", "PLU")),
    ),
    variant_key="compressor_type",
    variants={
        "screw": (Component("rotor_pair", ("VIB", "INL", "BRD")), Component("oil_separator", ("PLU", "ELU"))),
        "reciprocating": (
            Component("valves", ("INL", "LOO", "OHE")),
            Component("piston_rings", ("INL", "LOO")),
            Component("crosshead", ("VIB", "NOI", "BRD")),
        ),
    },
)

CONVEYOR: Final = AssetTemplate(
    "conveyor",
    "Belt conveyor",
    (
        SignalTemplate(
            "speed",
            "speed",
            "m/s",
            range=(0.0, Of("rated_speed_m_s", 1.5)),
            low_critical=None,
            high=Of("rated_speed_m_s", 1.05),
            high_critical=Of("rated_speed_m_s", 1.10),
            deadband=Of("rated_speed_m_s", 0.01),
            flatline_s=3600.0,
            running_above=Of("rated_speed_m_s", 0.1),
            idle=0.05,
        ),
        CURRENT,
        SignalTemplate(
            "belt_tension",
            "force",
            "kN",
            range=(0.0, Of("rated_belt_tension_kn", 3.0)),
            low_critical=Of("rated_belt_tension_kn", 0.4),
            low=Of("rated_belt_tension_kn", 0.6),
            high=Of("rated_belt_tension_kn", 1.2),
            high_critical=Of("rated_belt_tension_kn", 1.4),
            deadband=Of("rated_belt_tension_kn", 0.02),
            flatline_s=1800.0,
        ),
        BEARING,
        VIBRATION_SIGNAL,
    ),
    (
        Component("belt", ("BRD", "STD", "SER")),
        Component("drive_pulley", ("VIB", "NOI")),
        Component("idlers", ("NOI", "OHE", "BRD")),
        Component("bearing_drive_end", ("VIB", "OHE", "NOI", "BRD")),
        Component("tensioner", ("PDE", "STD")),
    ),
    vibration_standard=ISO_10816_1,
)

GEARBOX: Final = AssetTemplate(
    "gearbox",
    "Gearbox",
    (
        SPEED,
        SignalTemplate(
            "oil_temperature",
            "temperature",
            "degC",
            range=(-50.0, 200.0),
            high=Of("max_oil_temperature_c", offset=-10.0),
            high_critical=Of("max_oil_temperature_c"),
            deadband=1.0,
            max_rate_per_s=5.0,
            flatline_s=3600.0,
        ),
        OIL_PRESSURE,
        VIBRATION_SIGNAL,
    ),
    (
        Component("gears", ("VIB", "NOI", "BRD")),
        Component("bearings", ("VIB", "OHE", "NOI", "BRD")),
        Component("shaft_seals", ("ELU",)),
        Component("lubrication", ("ELU", "PDE", "OHE")),
    ),
    vibration_standard=ISO_10816_1,
)
