"""A machine's model as the content of an artifact, and back; what comes from outside is checked before it is used."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from forewarn.domain.errors import ArtifactRefused, InvalidInput
from forewarn.domain.model_versions import ArtifactFault
from forewarn.learning.built_detectors import Settings, check_settings
from forewarn.learning.ensemble import Ensemble, Member
from forewarn.learning.machine_model import MachineModel
from forewarn.policies.drift_screen import ScreenedSignal
from forewarn.policies.model_artifact import pack, unpack
from forewarn.policies.model_drift import BINS, InputReference
from forewarn.policies.operating_regimes import RegimeTree
from forewarn.policies.usual_behaviour import Usual

_KIND: Final = "machine"
_TREE: Final = ("column", "threshold", "below", "above", "lowest", "highest")
_USUAL: Final = ("centre", "spread", "step")
_RANGE: Final = ("low", "high", "change")
_OLD_RANGE: Final = 4.0  # spreads, of models that do not say what they saw
_INPUTS: Final = ("edges", "share", "wander")
_LEAST_STEP_US: Final = 1_000
_MOST_SIGNALS: Final = 1_000
_MOST_REGIMES: Final = 64


class _Member(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    detector: str
    healthy: float
    settings: dict[str, Any] | None = None  # of models before there were any: those of the detector installed


class _Ensemble(msgspec.Struct, forbid_unknown_fields=True):
    threshold: float
    rows: int
    screened: list[tuple[bool, float | None, str]]
    members: list[_Member]


class _Header(msgspec.Struct, forbid_unknown_fields=True):
    kind: str
    asset_id: str
    signals: list[str]
    units: list[str]
    step_us: int
    settle_rows: int
    ensembles: list[_Ensemble | None]


def packed(model: MachineModel) -> bytes:
    """The payload of an artifact. Raises InvalidInput where a detector's parameters are not plain arrays."""
    arrays: dict[str, NDArray[Any]] = {f"regimes.{name}": getattr(model.regimes, name) for name in _TREE}
    for name in _USUAL + _RANGE:
        arrays[f"usual.{name}"] = np.stack([getattr(way, name) for way in model.usual])
    for name in _INPUTS if model.inputs else ():
        arrays[f"inputs.{name}"] = np.stack([getattr(way, name) for way in model.inputs])
    for code, ensemble in enumerate(model.ensembles):
        if ensemble is None:
            continue
        arrays[f"{code}.held_out"] = ensemble.held_out
        for i, member in enumerate(ensemble.members):
            arrays |= {f"{code}.{i}.{name}": np.asarray(array) for name, array in member.parameters.items()}
    header = _Header(
        _KIND,
        model.asset_id,
        list(model.signals),
        list(model.units),
        model.step_us,
        model.settle_rows,
        [None if e is None else _told(e) for e in model.ensembles],
    )
    gaps = [name for name, array in arrays.items() if array.dtype.kind == "f" and bool(np.isnan(array).any())]
    return pack(msgspec.to_builtins(header), arrays, gaps)


def _told(ensemble: Ensemble) -> _Ensemble:
    screened = [(s.takes_part, None if np.isnan(s.slow_share) else s.slow_share, s.reason) for s in ensemble.screened]
    members = [
        _Member(m.detector, m.healthy, None if m.settings is None else dict(m.settings)) for m in ensemble.members
    ]
    return _Ensemble(ensemble.threshold, ensemble.rows, screened, members)


def unpacked(payload: bytes, version: str) -> MachineModel:
    """Raises ArtifactRefused. The detectors' own parameters are checked by them (TrainedDetector.prepare)."""
    told, arrays = unpack(payload)
    try:
        header = msgspec.convert(told, _Header)
    except msgspec.ValidationError as error:
        raise _poisoned(f"its header is not that of a machine's model: {error}") from None
    width = len(header.signals)
    if header.kind != _KIND or not 0 < width <= _MOST_SIGNALS or len(header.units) != width:
        raise _poisoned(f"it is of kind {header.kind!r} with {width} signals and {len(header.units)} units")
    if header.step_us < _LEAST_STEP_US or not 0 <= header.settle_rows <= 86_400:
        raise _poisoned(f"its grid has a step of {header.step_us} us and settles for {header.settle_rows} rows")
    tree = _tree(arrays, width, len(header.ensembles))
    ensembles = tuple(
        None if e is None else _ensemble(e, code, arrays, width) for code, e in enumerate(header.ensembles)
    )
    kinds = {tuple(m.kind for m in e.members) for e in ensembles if e is not None}
    if len(kinds) != 1 or kinds == {()}:
        raise _poisoned("its regimes are not judged by the same detectors, or by none")
    return MachineModel(
        header.asset_id,
        tuple(header.signals),
        tuple(header.units),
        header.step_us,
        tree,
        ensembles,
        _usual(arrays, width, len(header.ensembles)),
        header.settle_rows,
        version,
        _inputs(arrays, width, len(header.ensembles)),
    )


def _ensemble(told: _Ensemble, code: int, arrays: Mapping[str, NDArray[Any]], width: int) -> Ensemble:
    numbers = [told.threshold, *(m.healthy for m in told.members)]
    if not all(np.isfinite(number) and number > 0 for number in numbers):
        raise _poisoned(f"threshold and healthy scores of regime {code} are not all above 0")
    if len(told.screened) != width:
        raise _poisoned(f"regime {code} has a verdict on {len(told.screened)} of {width} signals")
    members = []
    for i, member in enumerate(told.members):
        prefix = f"{code}.{i}."
        parameters = {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
        members.append(Member(member.detector, parameters, member.healthy, _settings(member)))
    screened = tuple(ScreenedSignal(part, float("nan") if s is None else s, why) for part, s, why in told.screened)
    held_out = _array(arrays, f"{code}.held_out", 1, "f").astype(np.float32)
    return Ensemble(tuple(members), told.threshold, told.rows, screened, held_out)


def _settings(told: _Member) -> Settings | None:
    if told.settings is not None:
        try:
            check_settings(told.detector, told.settings)
        except InvalidInput as error:
            raise _poisoned(str(error)) from None
    return told.settings


def _usual(arrays: Mapping[str, NDArray[Any]], width: int, regimes: int) -> tuple[Usual, ...]:
    parts = [_array(arrays, f"usual.{name}", 2, "f").astype(np.float64) for name in _USUAL]
    if any(f"usual.{name}" in arrays for name in _RANGE):
        parts += [_array(arrays, f"usual.{name}", 2, "f").astype(np.float64) for name in _RANGE]
    else:
        reach = _OLD_RANGE * parts[1]
        parts += [parts[0] - reach, parts[0] + reach, np.zeros_like(reach)]
    if any(part.shape != (regimes, width) for part in parts):
        raise _poisoned("what is usual is not told of each regime and signal")
    if (parts[3] > parts[4]).any():
        raise _poisoned("the healthy range of a signal ends below where it begins")
    if not ((parts[5] >= 0) & (parts[5] <= 1)).all():
        raise _poisoned("a share of rows is none")
    return tuple(Usual(*(part[code] for part in parts)) for code in range(regimes))


def _inputs(arrays: Mapping[str, NDArray[Any]], width: int, regimes: int) -> tuple[InputReference, ...]:
    """Empty where the model has none. Edges that ascend, or none of a signal; shares that are such."""
    if not any(f"inputs.{name}" in arrays for name in _INPUTS):
        return ()
    edges, share = (_array(arrays, f"inputs.{name}", 3, "f").astype(np.float64) for name in ("edges", "share"))
    wander = _array(arrays, "inputs.wander", 2, "f").astype(np.float64)
    if (edges.shape, share.shape, wander.shape) != (
        (regimes, width, BINS - 1),
        (regimes, width, BINS),
        (regimes, width),
    ):
        raise _poisoned("the healthy range of its inputs is not told of each regime and signal")
    known = ~np.isnan(edges[:, :, 0])
    ascends = (np.diff(edges[known], axis=1) >= 0).all() and np.isfinite(edges[known]).all()
    shares = ((share >= 0) & (share <= 1)).all() and (np.abs(share[known].sum(axis=1) - 1.0) < 1e-3).all()
    if not (ascends and shares and (wander[known] >= 0).all()):
        raise _poisoned("the healthy range of its inputs is none: edges ascend, shares add up to 1")
    return tuple(InputReference(edges[code], share[code], wander[code]) for code in range(regimes))


def _tree(arrays: Mapping[str, NDArray[Any]], width: int, regimes: int) -> RegimeTree:
    """A tree that ends: a split leads to later splits or to a regime that there is."""
    if not 0 < regimes <= _MOST_REGIMES:
        raise _poisoned(f"it has {regimes} regimes; 1 to {_MOST_REGIMES} are possible")
    column, below, above = (_array(arrays, f"regimes.{name}", 1, "i") for name in ("column", "below", "above"))
    threshold = _array(arrays, "regimes.threshold", 1, "f")
    lowest, highest = (_array(arrays, f"regimes.{name}", 2, "f") for name in ("lowest", "highest"))
    splits = len(column)
    if not (len(threshold) == len(below) == len(above) == splits <= _MOST_REGIMES):
        raise _poisoned("the parts of its tree of regimes are of different lengths")
    if lowest.shape != (regimes, width) or highest.shape != (regimes, width):
        raise _poisoned("the ranges of its regimes are not one a regime and signal")
    after = np.stack((below, above)).reshape(2, splits)
    ahead = (after > np.arange(splits)) & (after < splits)
    leaf = (after < 0) & (after >= -regimes)
    if not (ahead | leaf).all() or ((column < 0) | (column >= width)).any() or np.isnan(threshold).any():
        raise _poisoned("its tree of regimes leads nowhere")
    places = (part.astype(np.intp) for part in (column, below, above))
    column, below, above = places
    return RegimeTree(column, threshold.astype(np.float64), below, above, lowest.astype(float), highest.astype(float))


def _array(arrays: Mapping[str, NDArray[Any]], name: str, dimensions: int, kind: str) -> NDArray[Any]:
    array = arrays.get(name)
    if array is None or array.ndim != dimensions or array.dtype.kind != kind:
        raise _poisoned(f"array {name!r} is missing, or not {dimensions}-dimensional numbers of its kind")
    return array


def _poisoned(why: str) -> ArtifactRefused:
    return ArtifactRefused(f"the model cannot be used: {why}", fault=ArtifactFault.POISONED)
