"""Which version acts on a machine, which are tried beside it, and what all processes together have seen of them."""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import accumulate
from typing import Final

from forewarn.domain.model_delivery import (
    LATENCY_CLASSES,
    HeldModels,
    MachineDrift,
    Side,
    Tally,
    Thresholds,
    Trial,
    WantedModels,
)
from forewarn.domain.model_versions import ModelState
from forewarn.domain.rollouts import Observed, Rollout
from forewarn.policies.rollout import acts_on

_QUANTILE = 0.99
_LEAST_CALLS = 100
MOST_DRIFTING: Final = 200  # signals of a machine that a gateway tells of
_RETELL_US, _MOVED = 3_600_000_000, 0.1  # of the mark
_WATCHED = frozenset({ModelState.SHADOW, ModelState.CANARY, ModelState.CHAMPION})


def acting_versions(champions: Mapping[str, str], rollouts: Iterable[Rollout]) -> dict[str, str]:
    """Id of the version that raises findings, by asset id. rollouts: those that are under way."""
    acting = dict(champions)
    for rollout in rollouts:
        if rollout.state is ModelState.CANARY:
            acting |= {asset_id: rollout.versions[asset_id] for asset_id in acts_on(rollout)}
    return acting


def trials_of(champions: Mapping[str, str], former: Mapping[str, str], rollouts: Iterable[Rollout]) -> list[Trial]:
    """rollouts: those that are watched. former: id of the version that a rollout replaced, by the id of the new one."""
    found = []
    for rollout in rollouts:
        if rollout.state not in _WATCHED:
            continue
        for asset_id, challenger in rollout.versions.items():
            champion = champions.get(asset_id)
            if rollout.state is ModelState.CHAMPION:
                if champion != challenger:
                    continue  # somebody put another one in its place since: nothing is left to watch
                champion = former.get(challenger)
            found.append(Trial(rollout.id, rollout.since, asset_id, challenger, champion))
    return found


def assets_by_version(wanted: WantedModels) -> dict[str, str]:
    """Whose model each of the versions is."""
    found = {version: asset_id for asset_id, version in wanted.acting.items()}
    for trial in wanted.trials:
        found[trial.challenger] = trial.asset_id
        if trial.champion is not None:
            found[trial.champion] = trial.asset_id
    return found


def narrowed(wanted: WantedModels, signals: Mapping[str, Collection[str]], collected: Collection[str]) -> WantedModels:
    """What of it is for who collects those signals: versions all of whose signals (by version id) are among them."""
    has = {version for version, ids in signals.items() if ids and all(one in collected for one in ids)}
    acting = {asset_id: version for asset_id, version in wanted.acting.items() if version in has}
    trials = tuple(t for t in wanted.trials if t.challenger in has and (t.champion is None or t.champion in has))
    mine = replace(wanted, acting=acting, trials=trials)
    thresholds = {version: told for version, told in wanted.thresholds.items() if version in mine.versions}
    return named(replace(mine, thresholds=thresholds))


def named(wanted: WantedModels) -> WantedModels:
    """With its revision: the same content has the same name."""
    return replace(wanted, revision=_name(asdict(replace(wanted, revision=""))))


def held(
    wanted: WantedModels, acting: Mapping[str, str], refused: Mapping[str, str], keys: Iterable[str]
) -> HeldModels:
    """With its name. wanted: what is followed, with the thresholds that are in use. keys: 64 hexadecimal digits
    each."""
    used = {version: wanted.thresholds[version] for version in acting.values() if version in wanted.thresholds}
    told = HeldModels(
        "", wanted.revision, acting, refused, thresholds_name(used), tuple(sorted(fingerprint(key) for key in keys))
    )
    return replace(told, name=_name(asdict(told)))


def thresholds_name(thresholds: Mapping[str, Thresholds]) -> str:
    """Empty where there are none."""
    return _name({version: list(told) for version, told in thresholds.items()}) if thresholds else ""


def fingerprint(key: str) -> str:
    """Of a public key of 64 hexadecimal digits."""
    return hashlib.sha256(bytes.fromhex(key)).hexdigest()[:16]


def _name(content: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def farthest_first(signals: Mapping[str, tuple[float, float]]) -> list[tuple[str, tuple[float, float]]]:
    """As in `MachineDrift.signals`, by PSI in units of the mark."""
    return sorted(signals.items(), key=lambda one: -one[1][0] / max(one[1][1], 1e-9))


def drift_to_tell(judged: MachineDrift, told: MachineDrift | None) -> MachineDrift | None:
    """As short as it is told: figures rounded, the signals that are farthest. None where nothing has moved since that
    one was told an hour ago or less."""
    far = farthest_first(judged.signals)[:MOST_DRIFTING]
    signals = {signal: (round(psi, 3), round(mark, 3)) for signal, (psi, mark) in far}
    over, usual = (None if share is None else round(share, 5) for share in (judged.over, judged.usual))
    short = MachineDrift(judged.at, signals, over, usual)
    return short if told is None or _has_moved(told, short) else None


def _has_moved(told: MachineDrift, judged: MachineDrift) -> bool:
    if not 0 <= judged.at - told.at < _RETELL_US or told.signals.keys() != judged.signals.keys():
        return True
    pairs = ((told.signals[signal], figures) for signal, figures in judged.signals.items())
    if any(abs(psi - before) > _MOVED * mark or mark != former for (before, former), (psi, mark) in pairs):
        return True
    if told.over is None or judged.over is None:
        return told.over is not judged.over
    return abs(judged.over - told.over) > _MOVED * max(told.over, judged.usual or 0.0)


def observed(rollout: Rollout, side: Side, tallies: Sequence[Tally]) -> Observed | None:
    """Of all processes together, in the rollout's present state; None where nobody has told anything."""
    mine = [t for t in tallies if (t.rollout_id, t.since, t.side) == (rollout.id, rollout.since, side)]
    if not mine:
        return None
    return Observed(
        rollout.since,
        asset_s=sum(t.asset_s for t in mine),
        rows=sum(t.rows for t in mine),
        opinions=sum(t.opinions for t in mine),
        alarms=sum(t.alarms for t in mine),
        calls=sum(t.calls for t in mine),
        errors=sum(t.errors for t in mine),
        latency_ms=latency_ms([t.latency for t in mine]),
    )


def latency_class(ms: float) -> int:
    """Place in LATENCY_CLASSES, or one beyond."""
    return next((place for place, most in enumerate(LATENCY_CLASSES) if ms <= most), len(LATENCY_CLASSES))


def latency_ms(counts: Sequence[Sequence[int]]) -> float | None:
    """99th percentile: the upper bound of the class that it lies in, twice the last bound beyond it. None before there
    were 100 calls: until then it is the slowest of them, which says nothing of the others."""
    whole = [sum(c[k] for c in counts if k < len(c)) for k in range(len(LATENCY_CLASSES) + 1)]
    if sum(whole) < _LEAST_CALLS:
        return None
    reached = list(accumulate(whole))
    place = next(place for place, count in enumerate(reached) if count >= _QUANTILE * reached[-1])
    return LATENCY_CLASSES[place] if place < len(LATENCY_CLASSES) else 2 * LATENCY_CLASSES[-1]
