"""Machines whose model nobody can use, because no one collects all of its signals."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.findings import BY_EDGE, BY_MODEL, Finding
from forewarn.domain.signal_table import SignalTable
from forewarn.policies.severity import severity_of

SPLIT: Final = "model_split"
_SCORE: Final = 0.65
_NAMED: Final = 3
_REMEDY: Final = (
    "Collect all signals of the machine in one gateway, or none of them in any; until then each is judged by itself"
)

Parts = Mapping[str, tuple[str, ...]]


def split_models(
    judged: Mapping[str, Collection[str]], table: SignalTable, scored: Mapping[str, NDArray[np.int32]]
) -> dict[str, Parts]:
    """judged: ids of a model's signals, by asset id. scored: keys of the signals that each gateway scores, by its name;
    what none does is the site's. Of the machines whose model no one judges alone: signals by who has them ('': the
    site), '?' those that the plant does not have. A machine that no gateway has a part of is the site's affair."""
    if not scored:
        return {}
    names = sorted(scored)
    has = np.zeros((len(names), table.size), np.bool_)
    for row, name in enumerate(names):
        keys = scored[name]
        has[row, keys[keys < table.size]] = True
    found: dict[str, Parts] = {}
    for asset_id, ids in judged.items():
        keys = np.array([table.key_of[s] for s in ids if s in table.key_of], np.intp)
        own = has[:, keys]
        if own.any() and not (len(keys) == len(ids) and own.all(axis=1).any()):
            found[asset_id] = _parts(ids, table, dict(zip(names, has, strict=True)))
    return found


def _parts(ids: Collection[str], table: SignalTable, has: Mapping[str, NDArray[np.bool_]]) -> Parts:
    known = [s for s in ids if s in table.key_of]
    by_gateway = {name: tuple(s for s in known if mask[table.key_of[s]]) for name, mask in has.items()}
    ours = tuple(s for s in known if not any(mask[table.key_of[s]] for mask in has.values()))
    parts = {**by_gateway, "": ours, "?": tuple(s for s in ids if s not in table.key_of)}
    return {who: part for who, part in parts.items() if part}


def split_finding(asset_id: str, parts: Parts, table: SignalTable, at: int) -> Finding:
    """On the first signal that a gateway has. at: microseconds UTC."""
    first = next(part[0] for who, part in parts.items() if who not in ("", "?"))
    told = "; ".join(_words(who, part, table) for who, part in parts.items())
    return Finding(
        signal_key=table.key_of[first],
        signal_id=first,
        asset_id=asset_id,
        detector=BY_MODEL,
        anomaly_type=SPLIT,
        severity=severity_of(_SCORE),
        score=_SCORE,
        value=float("nan"),
        expected=None,
        reason=f"the machine's model is used by nobody, as no one has all of its signals: {told}. {_REMEDY}",
        started_at=at,
        last_at=at,
        detected_by=BY_EDGE,  # as what a gateway tells: the site's own line does not take it up
    )


def _words(who: str, part: Sequence[str], table: SignalTable) -> str:
    owner = {"": "this site itself has", "?": "the plant has no more"}.get(who, f"gateway {who} has")
    signals = [(s, table.signals[table.key_of[s]] if s in table.key_of else None) for s in part[:_NAMED]]
    names = [name if signal is None else signal.name for name, signal in signals]
    more = f" and {len(part) - _NAMED} more" if len(part) > _NAMED else ""
    return f"{owner} {', '.join(names)}{more}"
