"""A thousand signals of simulated pumps behind a broker, and models of them: what `gateway_models` measures with.

Fifteen copies of the simulator's six pumps, each with its eleven signals; all play the same, each copy a few seconds
ahead of the one before. Models are made of healthy hours before what is played, a row a second.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from forewarn.app.gateway.reading import read_gateway_file
from forewarn.contracts.model_registry import ModelRegistry
from forewarn.contracts.trained_detector import Matrix
from forewarn.domain.assets import Signal
from forewarn.domain.model_versions import ModelCard, ModelVersion
from forewarn.kit.clock import SECOND, now_us
from forewarn.learning.machine_artifact import packed
from forewarn.learning.machine_model import MachineModel, learn_machine
from forewarn.plugins.trained_detectors.pca import Pca
from forewarn.plugins.trained_detectors.ridge_twin import RidgeTwin
from forewarn.plugins.trained_detectors.robust_z import RobustZ
from forewarn.plugins.trained_detectors.window_mahalanobis import WindowMahalanobis
from forewarn.policies.model_signature import Signer, content_id, sign
from forewarn.simulator.demo_plant import demo_machines
from forewarn.simulator.plant import SimulatedPlant
from forewarn.simulator.plant_toml import demo_plant_toml

COPIES, SHIFT_S = 15, 3
NAME = "bench"
DETECTORS = {d.name: d for d in (RobustZ(), Pca(), RidgeTwin(), WindowMahalanobis())}
_PUMPS = [m for m in demo_machines() if m.template == "centrifugal_pump"]
_LIMITED = ("speed", "flow", "bearing_temperature", "motor_current")
_MONDAY = 1_699_833_600 * SECOND  # no pump is stopped before Wednesday


@dataclass(frozen=True, eq=False)
class Played:
    """past: a row a second, eleven columns a pump; values: what is played, a row a tick; columns as in `names`."""

    names: tuple[str, ...]
    past: Matrix
    values: Matrix

    @cached_property
    def columns(self) -> dict[str, list[int]]:
        """Of each pump."""
        return {pump.id: [i for i, n in enumerate(self.names) if n.startswith(f"{pump.id}.")] for pump in _PUMPS}


def played(hours: int, seconds: int, hz: int) -> Played:
    plant = SimulatedPlant([replace(pump, life_hours=1e12) for pump in _PUMPS], 1, _MONDAY, wear_rate=0.0)
    plant.warm_up()
    past = plant.advance(hours * 3_600, SECOND)
    now = plant.advance((seconds + COPIES * SHIFT_S) * hz, SECOND // hz)
    return Played(plant.signal_ids, np.where(past.quality == 0, past.value, np.nan), now.value)


def of_copy(name: str, copy: int) -> str:
    """`pump-101.flow` of the third copy: `pump-101-c3.flow`."""
    pump, _, signal = name.partition(".")
    return f"{pump}-c{copy}{'.' if signal else ''}{signal}"


def gateway_file(folder: Path, broker: int, page: int, site_url: str, hz: int) -> Path:
    """Thinned as gateways are unless they are told otherwise; all default detectors."""
    whole = tomllib.loads(demo_plant_toml("opc.tcp://127.0.0.1:1/f", "127.0.0.1", 1, "127.0.0.1", 1))
    pumps = [asset for asset in whole["asset"] if asset["id"] in {pump.id for pump in _PUMPS}]
    at_once = [{"rule": f"{name}.high", "on_delay_s": 0, "off_delay_s": 0} for name in _LIMITED]
    assets = []
    for copy in range(COPIES):
        for pump in pumps:
            defaults = {"source": "broker", "rate_hz": hz, "address": f"c{copy}:{{id}}"}
            assets.append(pump | {"id": of_copy(pump["id"], copy), "defaults": defaults, "alarm": at_once})
    gateway = {
        "name": NAME,
        "directory": str(folder / "data"),
        "uplink": {"url": site_url, "key_file": str(folder / "key")},
        "output": [
            {"output": "mqtt_events", "settings": {"host": "127.0.0.1", "port": broker, "when": "always"}},
            {"output": "local_page", "settings": {"port": page}},
        ],
    }
    source = {"name": "broker", "connector": "mqtt", "settings": {"host": "127.0.0.1", "port": broker}}
    file = folder / "gateway.toml"
    file.write_text(tomli_w.dumps({"gateway": gateway, "source": [source], "asset": assets}), encoding="utf-8")
    return file


def signals_of(file: Path) -> dict[str, list[Signal]]:
    """By machine, in the order of the simulator's columns; with keys, as if a catalog had seen them."""
    named: dict[str, list[Signal]] = {}
    for key, signal in enumerate(read_gateway_file(file)[1].signals, 1):
        named.setdefault(signal.asset_id, []).append(replace(signal, key=key))
    order = {sensor: i for i, sensor in enumerate(_sensors())}
    return {asset: sorted(signals, key=lambda s: order[s.name]) for asset, signals in named.items()}


def _sensors() -> list[str]:
    names = SimulatedPlant(_PUMPS[:1], 1, _MONDAY).signal_ids
    return [name.partition(".")[2] for name in names]


def models(of: Played, signals: Mapping[str, list[Signal]], first: int) -> list[MachineModel]:
    """One a machine, learned of the past from row `first` on, as a site learns of a row a second; the copies of a pump
    share what was learned of it."""
    found = []
    for pump, columns in of.columns.items():
        mine = signals[of_copy(pump, 0)]
        learned = learn_machine(pump, of.past[first : first + len(of.past) // 2, columns], mine, SECOND, DETECTORS)
        for copy in range(COPIES):
            asset = of_copy(pump, copy)
            found.append(replace(learned, asset_id=asset, signals=tuple(s.id for s in signals[asset])))
    return found


def added(registry: ModelRegistry, many: list[MachineModel], signer: Signer) -> tuple[dict[str, str], int]:
    """(version ids by machine, bytes of their artifacts)"""
    ids, size = {}, 0
    for model in many:
        payload = packed(model)
        artifact = sign(payload, signer)
        ids[model.asset_id], size = content_id(payload), size + len(artifact)
        card = ModelCard((), sum(e.rows for e in model.ensembles if e is not None), model.signals)
        about = ModelVersion(
            ids[model.asset_id], model.asset_id, "centrifugal_pump", tuple(DETECTORS), now_us(), card, "", 0
        )
        registry.add(about, artifact)
    return ids, size


def beyond_limits(signals: Mapping[str, list[Signal]]) -> list[dict[str, Any]]:
    """A value a bit beyond the high limit for each signal that has one here, machine by machine."""
    return [
        {"id": s.id, "alarm": f"{s.asset_id}/{s.name}.high", "value": s.limits.high * 1.02}
        for name in _LIMITED
        for mine in signals.values()
        for s in mine
        if s.name == name and s.limits.high is not None
    ]


def message(names: list[str], values: list[float], at_ms: int) -> str:
    return json.dumps({"sensor_id": names, "value": values, "timestamp": [at_ms] * len(names)})
