"""Which faults would look like this: ranked hypotheses with what speaks for and against each, never a certainty."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.evidence import Hypothesis
from forewarn.policies.fault_table import FAULTS, Fault, Sign, Symptom
from forewarn.policies.signal_roles import role_of, spoken
from forewarn.policies.usual_behaviour import BEYOND_DOUBT

Column = NDArray[np.float64]
_QUIET_Z: Final = 2.0  # below this a signal is as usual
_LEAST_SCORE: Final = 0.5
_MOST: Final = 3
_STILL: Final = 0.1  # share of its usual restlessness below which a signal is stuck
_RESTLESS: Final = 1.5  # times its usual restlessness
_SENSOR_TRUST: Final = 0.9  # a fault of the machine that fits as well goes first
_DRIFTING: Final = frozenset(
    {"temperature", "pressure", "differential_pressure", "flow", "level", "leakage", "voltage"}
)


@dataclass(frozen=True, slots=True, eq=False)
class Deviations:
    """How each of m signals of one machine departs from its healthy self in the same regime; columns of length m, in
    any order. NaN = unknown.

    level: signed, in robust standard deviations. share: of the blame that a model gave it, a sum of 1; NaN throughout =
    nobody said. restlessness: its short-term spread over the healthy one, 1 = as usual, 0 = it does not move. missing:
    share of readings that were bad or did not come, 0-1. running: whether the machine runs; standing it has faults of
    sensors only.
    """

    names: Sequence[str]
    kinds: Sequence[str]
    level: Column
    share: Column
    restlessness: Column
    missing: Column
    running: bool = True


@dataclass(frozen=True, slots=True)
class Point:
    """One piece of evidence. what: as people say it (`flow low`). weight: its part in the score, 0-1, negative where
    it speaks against the fault."""

    what: str
    role: str
    weight: float


@dataclass(frozen=True, slots=True)
class RankedFault:
    """score: 0-1, how well the fault's symptoms fit what is seen (cosine between both, times how clear it is); not how
    likely it is. signal: of a sensor's fault, whose; else ''."""

    fault: str
    title: str
    score: float
    points: tuple[Point, ...]
    signal: str = ""

    def told(self) -> Hypothesis:
        """As a finding shows it."""
        speaks_for = ", ".join(p.what for p in self.points if p.weight > 0)
        speaks_against = ", ".join(p.what for p in self.points if p.weight < 0)
        return Hypothesis(self.fault, round(float(self.score), 3), speaks_for, speaks_against)


def ranked_faults(template: str, seen: Deviations) -> tuple[RankedFault, ...]:
    """At most three, best first; none where nothing fits well enough. `template` '' or unknown: any rotating
    machine."""
    sensors = _broken_sensors(seen)
    faults = FAULTS.get(template, FAULTS[""])
    machine = _machine_faults(faults, seen) if seen.running and not sensors else []
    found = [f for f in (*machine, *sensors) if f.score >= _LEAST_SCORE]
    return tuple(sorted(found, key=lambda f: (-f.score, f.fault, f.signal))[:_MOST])


@dataclass(frozen=True, slots=True)
class _Seen:
    """One (role, level or restlessness): how far it departs (signed, compressed), and what its signal is blamed."""

    departs: float
    blame: float


_Key = tuple[str, bool]  # role, whether restlessness


def _machine_faults(faults: Sequence[Fault], seen: Deviations) -> list[RankedFault]:
    known = {(s.role, s.sign is Sign.UNSTEADY) for f in faults for s in f.symptoms}
    roles = [role_of(n, k) for n, k in zip(seen.names, seen.kinds, strict=True)]
    view = _view(roles, seen, known)
    clear = max(
        (abs(level) for role, level in zip(roles, seen.level, strict=True) if role and level == level), default=0
    )
    strength = float(np.clip((clear - _QUIET_Z) / (BEYOND_DOUBT - _QUIET_Z), 0.0, 1.0))
    if not strength:
        return []
    possible = [f for f in faults if _leading_measured(f, view)]
    return [*(_fit(f, view, strength) for f in possible), *_drifts(roles, seen, view, strength)]


def _leading_measured(fault: Fault, view: dict[_Key, _Seen]) -> bool:
    """A fault none of whose strongest symptoms is measured cannot be told from others by the rest."""
    most = max(s.weight for s in fault.symptoms)
    return any((s.role, s.sign is Sign.UNSTEADY) in view for s in fault.symptoms if s.weight == most)


def _view(roles: Sequence[str], seen: Deviations, known: set[_Key]) -> dict[_Key, _Seen]:
    """Of signals with the same role the one that departs most speaks."""
    m = len(roles)
    blame = np.ones(m) if np.isnan(seen.share).all() else 0.5 + 0.5 * m * np.nan_to_num(seen.share)
    view: dict[_Key, _Seen] = {}
    for i, role in enumerate(roles):
        level, restless = float(seen.level[i]), float(seen.restlessness[i])
        departs = {False: _compressed(level, _QUIET_Z), True: _excess(restless)}
        for unsteady, amount in departs.items():
            key = (role, unsteady)
            if key in known and not np.isnan(amount):
                one = _Seen(amount, float(blame[i]))
                view[key] = max(view.get(key, one), one, key=lambda s: (abs(s.departs), s.departs, s.blame))
    return view


def _compressed(level: float, quiet: float) -> float:
    """Logarithmic beyond `quiet`: a symptom that is ten times clearer is not ten times better evidence."""
    return float(np.sign(level) * np.log1p(max(abs(level) - quiet, 0.0))) if level == level else np.nan


def _excess(restlessness: float) -> float:
    if restlessness != restlessness:
        return np.nan
    return float(np.log1p(max(restlessness / _RESTLESS - 1.0, 0.0) * _QUIET_Z))


def _fit(fault: Fault, view: dict[_Key, _Seen], strength: float) -> RankedFault:
    wanted = {(s.role, s.sign is Sign.UNSTEADY): s for s in fault.symptoms}
    product = length = of_fault = 0.0
    points: list[Point] = []
    for key, one in view.items():
        symptom = wanted.get(key)
        pattern = 0.0 if symptom is None else symptom.weight * (-1.0 if symptom.sign is Sign.DOWN else 1.0)
        product += one.blame * pattern * one.departs
        length += one.blame * one.departs**2
        of_fault += one.blame * pattern**2
        if point := _point(key, symptom, one.departs):
            points.append(point)
    score = product / np.sqrt(length * of_fault) if length > 0.0 and of_fault > 0.0 else 0.0
    # Rounding may carry a cosine past 1.
    return RankedFault(fault.name, fault.title, min(max(float(score), 0.0), 1.0) * strength, _ordered(points))


def _point(key: _Key, symptom: Symptom | None, departs: float) -> Point | None:
    role, unsteady = key
    if symptom is None:
        if not departs:
            return None
        what = f"{spoken(role)} {_as_seen(departs, unsteady)}, which is not part of it"
        return Point(what, role, -min(abs(departs) / 3.0, 1.0))
    agrees = departs < 0.0 if symptom.sign is Sign.DOWN else departs > 0.0
    if agrees:
        return Point(f"{spoken(role)} {symptom.sign}", role, symptom.weight / 3.0)
    if not departs and symptom.weight < 2.0:
        return None  # often absent anyway
    return Point(f"{spoken(role)} {_as_seen(departs, unsteady)}", role, -symptom.weight / 3.0)


def _as_seen(departs: float, unsteady: bool) -> str:
    if unsteady:
        return "unsteady" if departs else "steady"
    return "normal" if not departs else "high" if departs > 0 else "low"


def _ordered(points: Sequence[Point]) -> tuple[Point, ...]:
    return tuple(sorted(points, key=lambda p: (-abs(p.weight), p.what)))


def _drifts(roles: Sequence[str], seen: Deviations, view: dict[_Key, _Seen], strength: float) -> list[RankedFault]:
    """A sensor that drifts departs alone: what it measures would have moved the others too."""
    total = np.sqrt(sum(v.departs**2 for v in view.values()))
    others = sum(1 for unsteady in (k[1] for k in view) if not unsteady) - 1
    found: list[RankedFault] = []
    for i, (role, kind) in enumerate(zip(roles, seen.kinds, strict=True)):
        departs = _compressed(float(seen.level[i]), _QUIET_Z)
        if not role or kind not in _DRIFTING or not departs or np.isnan(departs) or others < 2:
            continue
        alone = min(abs(departs) / max(total, abs(departs)), 1.0)
        points = [Point(f"{seen.names[i]} alone is {_as_seen(departs, False)}", role, alone)]
        points += [
            Point(f"{spoken(r)} {_as_seen(v.departs, u)}", r, -min(abs(v.departs) / 3.0, 1.0))
            for (r, u), v in view.items()
            if v.departs and r != role
        ]
        score = float(_SENSOR_TRUST * alone * strength)
        found.append(RankedFault("sensor_drift", "drifting sensor", score, _ordered(points), seen.names[i]))
    return found


def _broken_sensors(seen: Deviations) -> list[RankedFault]:
    """Signals that are missing or do not move while most others come and move."""
    gone, still = np.nan_to_num(seen.missing) > 0.05, seen.running & (seen.restlessness < _STILL)
    moving = seen.restlessness >= _STILL
    found: list[RankedFault] = []
    if 2 * gone.sum() < len(seen.names):
        for i in np.flatnonzero(gone).tolist():
            share = float(seen.missing[i])
            what = f"{share:.0%} of the readings of {seen.names[i]} are bad or missing, the others come"
            score = 0.5 + 0.5 * min(share / 0.5, 1.0)
            found.append(
                RankedFault("sensor_dropout", "failing sensor or wire", score, (Point(what, "", 1.0),), seen.names[i])
            )
    if still.sum() < moving.sum():
        for i in np.flatnonzero(still & ~gone).tolist():
            what = f"{seen.names[i]} does not move while the others do"
            score = _SENSOR_TRUST * (1.0 - float(seen.restlessness[i]) / (2.0 * _STILL))
            found.append(RankedFault("sensor_stuck", "stuck sensor", score, (Point(what, "", 1.0),), seen.names[i]))
    return found
