"""The detectors that models were learned with: built from the hyper-parameters that stand in the model, so that a
default which changes later changes no old model."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from forewarn.contracts.trained_detector import TrainedDetector
from forewarn.domain.errors import InvalidInput

MOST_CONTEXT: Final = 10_000  # rows; a window is kept in memory for each machine
_MOST_SETTINGS: Final = 32
_MOST_VALUES: Final = 64
_MOST_TEXT: Final = 4_000
_KEPT: Final = 256

Settings = Mapping[str, Any]


def settings_of(detector: TrainedDetector) -> Settings:
    """Its hyper-parameters as JSON values. Raises InvalidInput where they are none."""
    try:
        told: Settings = msgspec.to_builtins(dict(detector.parameters()))
    except Exception as error:  # somebody's detector
        raise InvalidInput(f"{detector.name}: its parameters() are no JSON values: {error}", field="settings") from None
    check_settings(detector.name, told)
    return told


def check_settings(detector: str, settings: Settings) -> None:
    """Raises InvalidInput for more, or deeper, than hyper-parameters are."""
    for name, value in settings.items():
        values = value if isinstance(value, list) else [value]
        plain = all(v is None or isinstance(v, bool | int | float | str) for v in values)
        if not name.isidentifier() or not plain or len(values) > _MOST_VALUES:
            raise InvalidInput(f"{detector}: setting {name[:40]!r} is none: names with plain values", field="settings")
    if len(settings) > _MOST_SETTINGS or len(text_of(settings) or "") > _MOST_TEXT:
        raise InvalidInput(
            f"{detector}: {len(settings)} settings; at most {_MOST_SETTINGS}, short ones", field="settings"
        )


def text_of(settings: Settings | None) -> str | None:
    """Equal for equal settings; None for those of the installed detector, whatever they are."""
    return None if settings is None else json.dumps(settings, sort_keys=True)


def built(detectors: Mapping[str, TrainedDetector], name: str, settings: Settings | None) -> TrainedDetector:
    """detectors: as installed here. settings: None = the model does not say, the installed one's. The same object for
    the same settings. Raises InvalidInput where no such detector is installed, or where it refuses its settings."""
    if name not in detectors:
        raise InvalidInput(f"No detector named {name} is installed here", field="members")
    installed = detectors[name]
    if settings is None or settings == settings_of(installed):
        return installed
    check_settings(name, settings)
    return _built(type(installed), text_of(settings) or "{}")


@lru_cache(_KEPT)
def _built(kind: type[TrainedDetector], settings: str) -> TrainedDetector:
    try:
        detector = kind(**json.loads(settings))
        context = detector.context
    except Exception as error:  # somebody's detector, and settings that anybody may have written
        raise InvalidInput(
            f"{kind.name} refuses the settings of the model ({error}): train it again, or install the detector as it "
            "was when the model was trained",
            field="settings",
        ) from error
    if not isinstance(context, int) or not 0 <= context <= MOST_CONTEXT:
        raise InvalidInput(
            f"{kind.name}: with the settings of the model a score depends on {str(context)[:20]} rows before; 0 to "
            f"{MOST_CONTEXT:,} are possible: train the model again",
            field="settings",
        )
    return detector
