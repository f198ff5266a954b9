"""What was learned of one machine: its signals side by side, its regimes, and an ensemble for each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from forewarn.contracts.trained_detector import Matrix, TrainedDetector
from forewarn.domain.assets import Signal
from forewarn.domain.errors import NotEnoughData
from forewarn.learning.ensemble import Ensemble, EnsembleSettings, fit_ensemble
from forewarn.policies.model_drift import DriftSettings, InputReference, input_reference
from forewarn.policies.operating_regimes import (
    UNKNOWN,
    RegimeSettings,
    RegimeTree,
    breaks_of,
    find_regimes,
    settled,
)
from forewarn.policies.usual_behaviour import Usual, usual


@dataclass(frozen=True, slots=True)
class MachineSettings:
    """How a machine is learned; stands in the model's card, beside the detectors' own parameters."""

    ensemble: EnsembleSettings = field(default_factory=EnsembleSettings)
    regimes: RegimeSettings = field(default_factory=RegimeSettings)


@dataclass(frozen=True, slots=True, eq=False)
class MachineModel:
    """signals: ids, in the order of columns; units: theirs when it was learned. step_us: of the grid. ensembles: by
    regime; None where too little was seen of it. usual: by regime, what each signal does in health. settle_rows: after
    a change of regime nothing is said for as long. version: name of the artifact it came from; empty while it is
    none. inputs: by regime, what drift of the signals is held against; empty where it is not watched."""

    asset_id: str
    signals: tuple[str, ...]
    units: tuple[str, ...]
    step_us: int
    regimes: RegimeTree
    ensembles: tuple[Ensemble | None, ...]
    usual: tuple[Usual, ...]
    settle_rows: int = 0
    version: str = ""
    inputs: tuple[InputReference, ...] = ()

    @property
    def members(self) -> tuple[str, ...]:
        """Names of the detectors; those of every ensemble are the same."""
        return next((tuple(m.detector for m in e.members) for e in self.ensembles if e is not None), ())

    @property
    def kinds(self) -> tuple[tuple[str, str | None], ...]:
        """Detectors and their settings; those of every ensemble are the same."""
        return next((tuple(m.kind for m in e.members) for e in self.ensembles if e is not None), ())

    @property
    def left_out(self) -> Mapping[str, str]:
        """Why a signal takes no part, by id; of the regime that was seen most."""
        most = max((e for e in self.ensembles if e is not None), key=lambda e: e.rows, default=None)
        if most is None:
            return {}
        return {s: v.reason for s, v in zip(self.signals, most.screened, strict=True) if not v.takes_part}


def learn_machine(
    asset_id: str,
    healthy: Matrix,
    signals: Sequence[Signal],
    step_us: int,
    detectors: Mapping[str, TrainedDetector],
    settings: MachineSettings | None = None,
    seed: int = 0,
) -> MachineModel:
    """healthy: float64[n, m] as contracts/trained_detector.py says, a column for each of `signals`.

    Raises NotEnoughData where no regime has enough rows."""
    settings = settings or MachineSettings()
    tree, settle, regimes = by_regime(healthy, signals, settings)
    ensembles: list[Ensemble | None] = []
    ways: list[Usual] = []
    inputs: list[InputReference] = []
    part_rows = round(DriftSettings().memory_s * 1e6 / step_us)
    refused: list[str] = []
    for rows in regimes:
        ways.append(usual(rows))
        inputs.append(input_reference(rows, part_rows))
        try:
            ensembles.append(fit_ensemble(rows, detectors, settings.ensemble, seed))
        except NotEnoughData as error:
            ensembles.append(None)
            refused.append(str(error))
    members = [tuple(m.detector for m in e.members) for e in ensembles if e is not None]
    if not members:
        raise NotEnoughData(f"{asset_id}: {refused[0]}")
    # Side by side they must be alike: a regime too short for one of the detectors is not judged yet.
    whole = max(members, key=len)
    alike = tuple(e if e is not None and tuple(m.detector for m in e.members) == whole else None for e in ensembles)
    ids, units = tuple(s.id for s in signals), tuple(s.unit for s in signals)
    return MachineModel(asset_id, ids, units, step_us, tree, alike, tuple(ways), settle, inputs=tuple(inputs))


def by_regime(
    healthy: Matrix, signals: Sequence[Signal], settings: MachineSettings
) -> tuple[RegimeTree, int, Iterator[Matrix]]:
    """(the ways the machine is run; rows that it takes to settle; the healthy rows of each way, in order). What is of
    another regime is a break: no window reaches over it."""
    tree = find_regimes(healthy, [signal.kind for signal in signals], settings.regimes)
    settle = settings.regimes.settle_rows if tree.count > 1 else 0
    regime = tree.of(healthy)
    regime[~settled(regime, settle, breaks_of(healthy, settings.regimes))] = UNKNOWN
    return tree, settle, (np.where((regime == code)[:, None], healthy, np.nan) for code in range(tree.count))
