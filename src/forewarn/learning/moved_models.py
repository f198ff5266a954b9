"""Models whose thresholds people have moved elsewhere: the site says where to."""

import math
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

from forewarn.domain.errors import InvalidInput
from forewarn.domain.model_delivery import Thresholds
from forewarn.learning.machine_model import MachineModel

_MOST: Final = 1_000.0  # times the healthy quantile: beyond it a model would only be silent


class MovedModels:
    """The same object for as long as model and thresholds are the same, so that nothing begins anew for nothing."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[MachineModel, Thresholds, MachineModel]] = {}

    def of(self, model: MachineModel, thresholds: Thresholds | None) -> MachineModel:
        """thresholds: None = as they were learned. Raises InvalidInput."""
        if thresholds is None:
            return model
        known = self._known.get(model.version)
        if known is not None and known[0] is model and known[1] == thresholds:
            return known[2]
        moved = with_thresholds(model, thresholds)
        self._known[model.version] = model, thresholds, moved
        return moved

    def keep_only(self, versions: Collection[str]) -> None:
        self._known = {version: known for version, known in self._known.items() if version in versions}


def with_thresholds(model: MachineModel, thresholds: Thresholds) -> MachineModel:
    """Raises InvalidInput for what is no threshold, or not one for each regime."""
    if len(thresholds) != len(model.ensembles):
        text = f"{len(thresholds)} thresholds were told for its {len(model.ensembles)} regimes"
        raise InvalidInput(text, field="thresholds")
    for regime, threshold in enumerate(thresholds):
        if threshold is not None and not (math.isfinite(threshold) and 0 < threshold <= _MOST):
            text = f"the threshold of regime {regime} is {threshold:g}: one is a positive number up to {_MOST:,.0f}"
            raise InvalidInput(text, field="thresholds")
    pairs = zip(model.ensembles, thresholds, strict=True)
    ensembles = tuple(e if e is None or now is None else replace(e, threshold=now) for e, now in pairs)
    return replace(model, ensembles=ensembles)


def thresholds_of(moved: MachineModel, learned: MachineModel) -> Thresholds | None:
    """What `with_thresholds` makes `moved` from `learned` with; None where they are alike."""
    found: list[float | None] = []
    for after, before in zip(moved.ensembles, learned.ensembles, strict=True):
        differs = after is not None and before is not None and not math.isclose(after.threshold, before.threshold)
        found.append(after.threshold if after is not None and differs else None)
    return tuple(found) if any(each is not None for each in found) else None


def all_moved(
    models: Mapping[str, MachineModel], thresholds: Mapping[str, Thresholds], known: MovedModels
) -> tuple[dict[str, MachineModel], dict[str, str]]:
    """models: as learned, by version id. What they are now, and by version id why thresholds cannot be used: it goes on
    with those that it learned."""
    now, refused = dict(models), {}
    for version, told in thresholds.items():
        if version in models:
            try:
                now[version] = known.of(models[version], told)
            except InvalidInput as error:
                refused[version] = str(error)
    known.keep_only(thresholds)
    return now, refused
