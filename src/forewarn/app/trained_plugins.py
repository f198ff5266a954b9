"""Trained detectors that are installed here, built-in or a stranger's."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from forewarn.app.plugins import available, load
from forewarn.contracts.trained_detector import TrainedDetector
from forewarn.domain.errors import ConfigurationError


class InstalledDetectors(Mapping[str, TrainedDetector]):
    """By name; loaded when a model first asks for one, so that who has no models imports none."""

    def __init__(self) -> None:
        self._names = frozenset(available("trained_detectors"))
        self._loaded: dict[str, TrainedDetector] = {}

    def __getitem__(self, name: str) -> TrainedDetector:
        if name not in self._loaded:
            if name not in self._names:
                raise KeyError(name)
            try:
                plugin: Any = load("trained_detectors", name)
            except ConfigurationError as error:  # a library that is not installed here
                raise KeyError(name) from error
            self._loaded[name] = plugin()
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def members(names: Sequence[str]) -> dict[str, TrainedDetector]:
    """Those that new models are made of. Raises ConfigurationError naming what there is, or the library that is
    missing."""
    return {name: load("trained_detectors", name)() for name in names}
