"""Whether a model may be scored with: asked once, when it is loaded, so that no garbage is scored later."""

from collections.abc import Mapping

import numpy as np

from forewarn.contracts.trained_detector import TrainedDetector
from forewarn.domain.errors import ArtifactRefused
from forewarn.domain.model_versions import ArtifactFault
from forewarn.learning.ensemble import EnsembleScorer
from forewarn.learning.machine_model import MachineModel

_LEVELS = (0.0, 1.0, -1.0, 1e6)


def check_model(model: MachineModel, detectors: Mapping[str, TrainedDetector]) -> None:
    """Scores a few made-up rows. Raises ArtifactRefused (POISONED), or InvalidInput of a detector that refuses it."""
    ensembles = [ensemble for ensemble in model.ensembles if ensemble is not None]
    scorer = EnsembleScorer(detectors, ensembles)
    models = np.arange(len(ensembles))
    width = len(model.signals)
    for level in _LEVELS:
        blocks = np.full((len(ensembles), scorer.context + 2, width), level)
        blocks[:, :, ::2] += 1.0
        try:
            ratio = scorer.ratio(blocks, models)
            share = scorer.explain(blocks, models).share
        except (ValueError, IndexError, FloatingPointError, np.linalg.LinAlgError) as error:
            raise _poisoned(f"it cannot be scored with: {error}") from error
        if ratio.shape != blocks.shape[:2] or share.shape != (len(ensembles), width):
            raise _poisoned("its scores have not the shape of what is scored")
        if (ratio < 0).any() or np.isinf(ratio).any():
            raise _poisoned("it scores with numbers that are none")


def _poisoned(why: str) -> ArtifactRefused:
    return ArtifactRefused(f"the model cannot be used: {why}. Train it again", fault=ArtifactFault.POISONED)
