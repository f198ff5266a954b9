"""Small trained models, signed, for tests of how they travel."""

from dataclasses import replace
from functools import cache

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray

from forewarn.domain.assets import Signal
from forewarn.gateway.signing import Signer
from forewarn.learning.machine_artifact import packed
from forewarn.learning.machine_model import MachineModel, learn_machine
from forewarn.plugins.trained_detectors.pca import Pca
from forewarn.plugins.trained_detectors.robust_z import RobustZ
from forewarn.policies.model_signature import content_id, sign

SECOND = 1_000_000
KINDS = ("flow", "pressure", "temperature")
DETECTORS = {d.name: d for d in (RobustZ(), Pca())}
SITE, STRANGER = (Signer(Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32)) for n in (7, 8))


def signals_of(asset_id: str) -> list[Signal]:
    return [Signal(f"{asset_id}.{kind}", asset_id, kind, kind, "1", key=1 + i) for i, kind in enumerate(KINDS)]


def healthy(rows: int, seed: int = 0) -> NDArray[np.float64]:
    """Three signals that go with one load."""
    random = np.random.default_rng(seed)
    load = np.convolve(random.normal(0, 1, rows + 20), np.ones(20) / 20, "valid")[:rows] * 4
    noise = random.normal(0, 0.2, (rows, 3))
    return np.column_stack((48 + load, 8 - 0.4 * load, 60 + 0.5 * load)) + noise


@cache
def learned(asset_id: str, seed: int = 0) -> MachineModel:
    return learn_machine(asset_id, healthy(900, seed), signals_of(asset_id), SECOND, DETECTORS)


def nervous(model: MachineModel, threshold: float = 0.01) -> MachineModel:
    """It finds health out of the ordinary."""
    ensembles = tuple(e if e is None else replace(e, threshold=threshold) for e in model.ensembles)
    return replace(model, ensembles=ensembles)


def oversensitive(model: MachineModel, threshold: float) -> MachineModel:
    """As if it spoke above `threshold`, while its threshold is what its held-out rows say: its detectors' healthy
    quantiles are too small. What the site makes of the threshold does not mend it."""
    ensembles = []
    for e in model.ensembles:
        if e is None:
            ensembles.append(None)
            continue
        small = tuple(replace(m, healthy=m.healthy * threshold / e.threshold) for m in e.members)
        ensembles.append(replace(e, members=small))
    return replace(model, ensembles=tuple(ensembles))


def signed(model: MachineModel, signer: Signer = SITE) -> tuple[str, bytes]:
    """Its version id, and the artifact."""
    payload = packed(model)
    return content_id(payload), sign(payload, signer)
