"""Whether a model may be scored with: asked once, when it is loaded, so that no garbage is scored later."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.trained_detector import Matrix, TrainedDetector
from forewarn.domain.errors import ArtifactRefused, ForewarnError, InvalidInput
from forewarn.domain.model_versions import ArtifactFault
from forewarn.learning.ensemble import EnsembleScorer
from forewarn.learning.machine_model import MachineModel

_LEVELS = (0.0, 1.0, -1.0, 1e6)
_MOST_VALUES: Final = 4_000_000  # of the rows that a machine's scores depend on, all regimes together


def check_model(model: MachineModel, detectors: Mapping[str, TrainedDetector]) -> None:
    """Scores a few made-up rows. Raises ArtifactRefused (POISONED), or InvalidInput of a detector that refuses it."""
    try:
        _try(model, detectors)
    except InvalidInput:
        raise
    except ForewarnError as error:  # a library that is missing here
        raise InvalidInput(str(error), field="members") from error
    except Exception as error:  # somebody's detector
        raise _poisoned(f"it cannot be scored with: {type(error).__name__}: {error}") from error


def _try(model: MachineModel, detectors: Mapping[str, TrainedDetector]) -> None:
    ensembles = [ensemble for ensemble in model.ensembles if ensemble is not None]
    scorer = EnsembleScorer(detectors, ensembles)
    rows, width = scorer.context + 2, len(model.signals)
    if len(ensembles) * rows * width > _MOST_VALUES:
        raise _poisoned(f"its scores depend on {rows - 1:,} rows of {width} signals, more than a machine may keep")
    for level in _LEVELS:
        blocks = np.full((len(ensembles), rows, width), level)
        blocks[:, :, ::2] += 1.0
        _score(scorer, blocks, np.arange(len(ensembles)))


def _score(scorer: EnsembleScorer, blocks: Matrix, models: NDArray[np.intp]) -> None:
    ratio = scorer.ratio(blocks, models)
    share = scorer.explain(blocks, models).share
    if ratio.shape != blocks.shape[:2] or share.shape != (len(blocks), blocks.shape[2]):
        raise _poisoned("its scores have not the shape of what is scored")
    if (ratio < 0).any() or np.isinf(ratio).any():
        raise _poisoned("it scores with numbers that are none")


def _poisoned(why: str) -> ArtifactRefused:
    return ArtifactRefused(f"the model cannot be used: {why}. Train it again", fault=ArtifactFault.POISONED)
