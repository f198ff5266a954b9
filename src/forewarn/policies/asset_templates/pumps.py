"""Centrifugal pump, its motor, and the pump of the ten flat fields."""

from dataclasses import replace
from typing import Final

from forewarn.domain.assets import Component
from forewarn.policies.asset_templates.model import VIBRATION, AssetTemplate, SignalTemplate
from forewarn.policies.asset_templates.ratings import Of
from forewarn.policies.zones import ISO_10816_7

SPEED: Final = SignalTemplate(
    "speed",
    "speed",
    "rpm",
    range=(0.0, Of("rated_speed_rpm", 1.3)),
    high=Of("rated_speed_rpm", 1.05),
    high_critical=Of("rated_speed_rpm", 1.10),
    deadband=Of("rated_speed_rpm", 0.01),
    max_rate_per_s=Of("rated_speed_rpm", 5.0),
    flatline_s=3600.0,
    running_above=Of("rated_speed_rpm", 0.1),
    idle=60.0,
)
VIBRATION_SIGNAL: Final = SignalTemplate(
    "vibration", VIBRATION, "mm/s", range=(0.0, 100.0), deadband=0.1, max_rate_per_s=50.0, flatline_s=300.0
)
CURRENT: Final = SignalTemplate(
    "motor_current",
    "current",
    "A",
    range=(0.0, Of("rated_current_a", 9.0)),  # direct start draws up to eight times the rated current
    high=Of("rated_current_a", 1.05),
    high_critical=Of("rated_current_a", 1.15),
    deadband=Of("rated_current_a", 0.02),
    flatline_s=600.0,
)
POWER: Final = SignalTemplate(
    "motor_power",
    "power",
    "kW",
    range=(0.0, Of("rated_power_kw", 9.0)),
    high=Of("rated_power_kw", 1.05),
    high_critical=Of("rated_power_kw", 1.15),
    deadband=Of("rated_power_kw", 0.02),
    flatline_s=600.0,
)
BEARING: Final = SignalTemplate(
    "bearing_temperature",
    "temperature",
    "degC",
    range=(-50.0, 250.0),
    high=Of("max_bearing_temperature_c", offset=-10.0),
    high_critical=Of("max_bearing_temperature_c"),
    deadband=1.0,
    max_rate_per_s=5.0,
    flatline_s=3600.0,
)
FLOW: Final = SignalTemplate(
    "flow",
    "flow",
    "m3/h",
    range=(0.0, Of("rated_flow_m3h", 2.0)),
    low_critical=Of("rated_flow_m3h", 0.3),
    low=Of("rated_flow_m3h", 0.5),
    high=Of("rated_flow_m3h", 1.2),  # ANSI/HI 9.6.3: the preferred region ends at 120 % of best efficiency
    high_critical=Of("rated_flow_m3h", 1.35),
    deadband=Of("rated_flow_m3h", 0.02),
    max_rate_per_s=Of("rated_flow_m3h", 5.0),
    flatline_s=600.0,
)
SUCTION: Final = SignalTemplate(
    "suction_pressure",
    "pressure",
    "bar",
    range=(-1.0, Of("suction_pressure_bar", 10.0)),
    low_critical=Of("suction_pressure_bar", 0.5),
    low=Of("suction_pressure_bar", 0.7),
    deadband=Of("suction_pressure_bar", 0.05),
    flatline_s=1800.0,
)
DISCHARGE: Final = SignalTemplate(
    "discharge_pressure",
    "pressure",
    "bar",
    range=(-1.0, Of("rated_discharge_pressure_bar", 2.5)),
    low_critical=Of("rated_discharge_pressure_bar", 0.5),
    low=Of("rated_discharge_pressure_bar", 0.7),
    high=Of("rated_discharge_pressure_bar", 1.3),  # above usual shut-off head
    high_critical=Of("rated_discharge_pressure_bar", 1.5),
    deadband=Of("rated_discharge_pressure_bar", 0.02),
    flatline_s=600.0,
)
CASING: Final = SignalTemplate(
    "casing_temperature",
    "temperature",
    "degC",
    range=(-50.0, 400.0),
    high=Of("max_casing_temperature_c", offset=-10.0),
    high_critical=Of("max_casing_temperature_c"),
    deadband=1.0,
    max_rate_per_s=5.0,
    flatline_s=3600.0,
)
SEAL: Final = SignalTemplate(
    "seal_leakage",
    "leakage",
    "mL/h",
    range=(0.0, Of("max_seal_leakage_ml_h", 50.0)),
    high=Of("max_seal_leakage_ml_h", 0.5),
    high_critical=Of("max_seal_leakage_ml_h"),
    deadband=Of("max_seal_leakage_ml_h", 0.05),
)
AMBIENT: Final = SignalTemplate(
    "ambient_temperature", "temperature", "degC", range=(-60.0, 80.0), deadband=0.5, max_rate_per_s=2.0
)
OIL_PRESSURE: Final = SignalTemplate(
    "oil_pressure",
    "pressure",
    "bar",
    range=(-1.0, Of("min_oil_pressure_bar", 20.0)),
    low_critical=Of("min_oil_pressure_bar"),
    low=Of("min_oil_pressure_bar", 1.2),
    deadband=Of("min_oil_pressure_bar", 0.05),
    flatline_s=1800.0,
)

_PUMP_PARTS: Final = (
    Component("impeller", ("LOO", "VIB", "BRD")),
    Component("mechanical_seal", ("ELP", "INL")),
    Component("bearing_drive_end", ("VIB", "OHE", "NOI", "BRD")),
    Component("bearing_non_drive_end", ("VIB", "OHE", "NOI", "BRD")),
    Component("coupling", ("VIB", "BRD")),
    Component("casing", ("ELP", "STD")),
    Component("suction_strainer", ("PLU", "LOO")),
)

CENTRIFUGAL_PUMP: Final = AssetTemplate(
    "centrifugal_pump",
    "Centrifugal pump",
    (SPEED, FLOW, SUCTION, DISCHARGE, BEARING, CASING, VIBRATION_SIGNAL, CURRENT, POWER, SEAL, AMBIENT),
    _PUMP_PARTS,
    vibration_standard=ISO_10816_7,
)

INDUCTION_MOTOR: Final = AssetTemplate(
    "induction_motor",
    "Induction motor",
    (
        SPEED,
        replace(CURRENT, name="current"),
        SignalTemplate(
            "voltage",
            "voltage",
            "V",
            range=(0.0, Of("rated_voltage_v", 2.0)),
            low_critical=Of("rated_voltage_v", 0.90),  # IEC 60034-1, 7.3: zone A is +-5 %, zone B +-10 %
            low=Of("rated_voltage_v", 0.95),
            high=Of("rated_voltage_v", 1.05),
            high_critical=Of("rated_voltage_v", 1.10),
            deadband=Of("rated_voltage_v", 0.005),
            flatline_s=1800.0,
        ),
        replace(POWER, name="power"),
        SignalTemplate(
            "winding_temperature",
            "temperature",
            "degC",
            range=(-50.0, 300.0),
            high=Of("max_winding_temperature_c", offset=-10.0),
            high_critical=Of("max_winding_temperature_c"),
            deadband=1.0,
            max_rate_per_s=10.0,
            flatline_s=3600.0,
        ),
        BEARING,
        VIBRATION_SIGNAL,
    ),
    (
        Component("stator", ("OHE", "BRD")),
        Component("rotor", ("VIB", "BRD")),
        Component("bearing_drive_end", ("VIB", "OHE", "NOI", "BRD")),
        Component("bearing_non_drive_end", ("VIB", "OHE", "NOI", "BRD")),
        Component("cooling_fan", ("OHE", "NOI", "PLU")),
        Component("terminal_box", ("OHE", "FTS")),
    ),
)

PUMP_DIALECT: Final = AssetTemplate(
    "pump_dialect",
    "Pump of the ten flat fields",
    (
        replace(SPEED, name="Motor_RPM"),
        replace(BEARING, name="Bearing_Temperature_C"),
        replace(OIL_PRESSURE, name="Oil_Pressure_bar"),
        replace(VIBRATION_SIGNAL, name="Vibration_mm_s"),
        SignalTemplate(
            "Flow_Rate_L_min",
            "flow",
            "L/min",
            range=(0.0, Of("rated_flow_m3h", 2.0 * 1000 / 60)),
            low_critical=Of("rated_flow_m3h", 0.3 * 1000 / 60),
            low=Of("rated_flow_m3h", 0.5 * 1000 / 60),
            high=Of("rated_flow_m3h", 1.2 * 1000 / 60),
            high_critical=Of("rated_flow_m3h", 1.35 * 1000 / 60),
            deadband=Of("rated_flow_m3h", 0.02 * 1000 / 60),
            max_rate_per_s=Of("rated_flow_m3h", 5.0 * 1000 / 60),
            flatline_s=600.0,
        ),
        replace(SUCTION, name="Suction_Pressure_bar"),
        replace(DISCHARGE, name="Discharge_Pressure_bar"),
        replace(CURRENT, name="Motor_Current_A"),
        replace(CASING, name="Casing_Temperature_C"),
        replace(AMBIENT, name="Ambient_Temperature_C"),
    ),
    (*_PUMP_PARTS, Component("lubrication", ("ELU", "PDE"))),
    vibration_standard=ISO_10816_7,
)
