"""The conditions of gateways as findings: kept when they begin and when they are over, and once a minute between."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Final

from forewarn.api.edge_findings import keep
from forewarn.contracts.anomaly_store import AnomalyStore
from forewarn.contracts.edge_intake import EdgeIntake
from forewarn.contracts.plant_view import PlantView
from forewarn.domain.conditions import ConditionCode, EndedCondition, GatewayCondition
from forewarn.domain.findings import Finding
from forewarn.domain.gateways import GatewayRole, GatewayStatus
from forewarn.kit.clock import HOUR, MINUTE
from forewarn.policies.admission import FUTURE_US
from forewarn.policies.gateway_findings import (
    Behind,
    comes_of,
    findings_of,
    is_of,
    lasted,
    names_signals,
    touches,
)

_Name = tuple[ConditionCode, str, int]
# What comes and goes is told three times an hour; after that only what stays for ten minutes. The journal has them all.
_FLAPS: Final = 3
_STEADY_US: Final = 10 * MINUTE
# Of a heartbeat's conditions: each is laid beside every signal's name.
_MOST_JUDGED: Final = 200


@dataclass(frozen=True, slots=True)
class _Told:
    """What was told of one condition. mark: of what lay behind the gateway then."""

    findings: tuple[Finding, ...]
    condition: GatewayCondition
    mark: object


class ConditionFindings:
    """What each gateway's open conditions were told as. Thread-safe; asks the catalog only when something is new."""

    def __init__(self, anomalies: AnomalyStore, edge: EdgeIntake) -> None:
        self._anomalies, self._edge = anomalies, edge
        self._lock = threading.Lock()
        self._told: dict[str, dict[_Name, _Told]] = {}
        self._begun: dict[str, dict[tuple[ConditionCode, str], tuple[int, ...]]] = {}

    def is_news(self, status: GatewayStatus, mark: object) -> bool:
        """Whether `follow` would have something to write. No I/O."""
        told = self._told.get(status.name)
        if told is None:
            return True
        held = _held(status)
        due = [c for c in held if self._is_due(status.name, told, c, status.at)]
        return (
            any(_grown(told.get(_name(c)), c, mark) for c in due)
            or bool(told.keys() - {_name(c) for c in held})
            or bool(self._past(status, told))
        )

    def follow(self, status: GatewayStatus, behind: Callable[[], Behind], mark: object, now: int) -> None:
        """A heartbeat's conditions. mark: another object whenever `behind` may answer something else. now:
        microseconds UTC, the site's clock. Raises StorageFailed."""
        with self._lock:
            known = self._told.get(status.name)
            told = dict(known) if known is not None else self._recovered(status, mark, now)
            past = self._past(status, told)
            try:
                self._end(status, told, now)
                due = [c for c in _held(status) if self._is_due(status.name, told, c, status.at)]
                due = [c for c in due if _grown(told.get(_name(c)), c, mark)]
                begun = [c for c in due if _name(c) not in told]
                if due or past:
                    there = behind()
                    self._tell(told, due, there, mark, status.at, now)
                    over = [f for each in past for f in findings_of(each.condition, there, each.ended_at)]
                    self._keep(_apart([_clipped(f, now) for f in over], _taken(told)))
                    self._note_begun(status.name, [*begun, *(each.condition for each in past)], status.at)
            finally:
                self._told[status.name] = told

    def retire(self, gateway: str, now: int) -> None:
        """Whatever was told of it is over."""
        with self._lock:
            standing = [f for f in self._anomalies.open_episodes() if is_of(f, gateway)]
            self._keep([replace(f, ended_at=max(now, f.last_at)) for f in standing])
            self._told.pop(gateway, None)
            self._begun.pop(gateway, None)

    def _is_due(self, gateway: str, told: Mapping[_Name, _Told], condition: GatewayCondition, until: int) -> bool:
        """Lasts long enough, until `until`, to be told."""
        if not lasted(condition, until):
            return False
        before = self._begun.get(gateway, {}).get((condition.code, condition.subject), ())
        flaps = sum(since > until - HOUR for since in before) >= _FLAPS
        return not flaps or _name(condition) in told or until - condition.since >= _STEADY_US

    def _past(self, status: GatewayStatus, told: Mapping[_Name, _Told]) -> list[EndedCondition]:
        """What came and went, as while the site was away, and was not told."""
        found, flaps = list[EndedCondition](), Counter[tuple[ConditionCode, str]]()
        for e in _ended_ones(status):
            c = e.condition
            if _name(c) not in told and self._is_due(status.name, told, c, e.ended_at):
                flaps[c.code, c.subject] += 1
                if flaps[c.code, c.subject] <= _FLAPS or e.ended_at - c.since >= _STEADY_US:
                    found.append(e)
        return found

    def _note_begun(self, gateway: str, conditions: Sequence[GatewayCondition], at: int) -> None:
        if not conditions:
            return
        known = self._begun.get(gateway, {})
        begun = self._begun[gateway] = {each: times for each, times in known.items() if times[-1] > at - HOUR}
        for c in conditions:
            before = begun.get((c.code, c.subject), ())
            if c.since not in before:  # an answer that was lost is asked for again
                begun[c.code, c.subject] = (*before[1 - _FLAPS :], c.since)

    def _recovered(self, status: GatewayStatus, mark: object, now: int) -> dict[_Name, _Told]:
        """What the last process told and did not end, by the conditions that still hold; the rest is over."""
        standing = [
            f for f in self._anomalies.open_episodes() if is_of(f, status.name) and not _of_site(f, status.name)
        ]
        told: dict[_Name, _Told] = {}
        for condition in _held(status):
            own = tuple(f for f in standing if _stands_for(f, status.name, condition, now))
            if own:
                told[_name(condition)] = _Told(own, replace(condition, last_at=own[0].last_at), mark)
        claimed = {id(f) for each in told.values() for f in each.findings}
        over = {_name(each.condition): each.ended_at for each in status.ended}
        left = [f for f in standing if id(f) not in claimed]
        ends = {(code.value, since): at for (code, _, since), at in over.items()}
        self._keep([_ended(f, ends.get((f.anomaly_type, f.started_at), status.at), now) for f in left])
        return told

    def _tell(
        self,
        told: dict[_Name, _Told],
        due: Sequence[GatewayCondition],
        behind: Behind,
        mark: object,
        at: int,
        now: int,
    ) -> None:
        """What begins, and what goes on: on signals that were not named before, and with its newest count."""
        known = {c: told[_name(c)].findings if _name(c) in told else () for c in due}
        taken, begun = _taken(told), {}
        for c in due:
            made = _not_known(findings_of(c, behind), known[c], c.code)
            begun[c] = _apart([_clipped(f, now) for f in made], taken)
        fresh = {id(f) for f in self._keep([f for each in begun.values() for f in each])}
        for condition, found in begun.items():
            # Those that are told as over already, as while a partner was the active one, begin anew.
            begun[condition] = [f if id(f) in fresh else _moved(f, min(at, now)) for f in found]
        self._keep([f for each in begun.values() for f in each if id(f) not in fresh])
        grown = {c: [_clipped(replace(f, last_at=c.last_at, count=c.count), now) for f in known[c]] for c in due}
        self._keep([f for each in grown.values() for f in each])
        for condition in due:
            told[_name(condition)] = _Told((*grown[condition], *begun[condition]), condition, mark)

    def _end(self, status: GatewayStatus, told: dict[_Name, _Told], now: int) -> None:
        held = {_name(c) for c in _held(status)}
        ends = {_name(each.condition): each for each in status.ended}
        over = []
        for name in told.keys() - held:
            end = ends.get(name)
            last = end.condition if end is not None else told[name].condition
            at = end.ended_at if end is not None else status.at
            for f in told[name].findings:
                newest = replace(f, last_at=max(f.last_at, last.last_at), count=max(f.count, last.count))
                over.append(_ended(newest, at, now))
        self._keep(over)
        for name in told.keys() - held:
            del told[name]

    def _keep(self, findings: Sequence[Finding]) -> Sequence[Finding]:
        return keep(self._anomalies, self._edge, findings)


def behind(plant: PlantView, gateway: str, ids: Sequence[str], status: GatewayStatus | None) -> Behind:
    """What the gateway collects: its table, without what it gave up."""
    former = frozenset(status.former) if status is not None else frozenset()
    mine = frozenset(ids) - former
    signals = [s for asset_id in plant.assets for s in plant.signals_of(asset_id) if s.id in mine]
    known = {s.id for s in signals}
    strangers = [name for name in ids if name in mine and name not in known]
    sources = frozenset(source.name for source in status.sources) if status is not None else frozenset[str]()
    return Behind(gateway, signals, strangers, sources)


def _held(status: GatewayStatus) -> list[GatewayCondition]:
    """Those that touch the readings: of a pair the active one tells, and that one is away only the site can say."""
    if status.role is GatewayRole.STANDBY:
        return []
    held = {_name(c): c for c in status.conditions if touches(c) and not _is_sites(c)}
    return list(held.values())[:_MOST_JUDGED]


def _ended_ones(status: GatewayStatus) -> list[EndedCondition]:
    if status.role is GatewayRole.STANDBY:
        return []
    return [e for e in status.ended if touches(e.condition) and not _is_sites(e.condition)][:_MOST_JUDGED]


def _is_sites(condition: GatewayCondition) -> bool:
    return condition.code is ConditionCode.UNREACHABLE and not condition.subject


def _of_site(finding: Finding, gateway: str) -> bool:
    return comes_of(finding, gateway, ConditionCode.UNREACHABLE, "")


def _name(condition: GatewayCondition) -> _Name:
    return condition.code, condition.subject, condition.since


def _grown(told: _Told | None, condition: GatewayCondition, mark: object) -> bool:
    if told is None or told.mark is not mark or condition.last_at - told.condition.last_at >= MINUTE:
        return True
    return names_signals(condition.code) and condition.text != told.condition.text


def _stands_for(finding: Finding, gateway: str, condition: GatewayCondition, now: int) -> bool:
    """One of an earlier condition of that code and subject began before it; one that came of a clock far ahead began
    when we heard of it."""
    if not comes_of(finding, gateway, condition.code, condition.subject):
        return False
    return finding.started_at >= condition.since or condition.since > now + FUTURE_US


def _not_known(made: Sequence[Finding], known: Sequence[Finding], code: ConditionCode) -> list[Finding]:
    signals, assets = {f.signal_key for f in known}, {f.asset_id for f in known}
    if names_signals(code):
        return [f for f in made if f.signal_key not in signals]
    return [f for f in made if f.asset_id not in assets]


def _taken(told: Mapping[_Name, _Told]) -> set[tuple[int, int]]:
    return {(f.signal_key, f.started_at) for each in told.values() for f in each.findings}


def _apart(findings: Sequence[Finding], taken: set[tuple[int, int]]) -> list[Finding]:
    """Two of one signal that began in the same microsecond would be one. Adds them to `taken`."""
    found = []
    for finding in findings:
        at = next(at for at in count(finding.started_at) if (finding.signal_key, at) not in taken)
        taken.add((finding.signal_key, at))
        last_at, end = max(at, finding.last_at), finding.ended_at
        found.append(replace(finding, started_at=at, last_at=last_at, ended_at=end and max(end, last_at)))
    return found


def _clipped(finding: Finding, now: int) -> Finding:
    """One of the future would stand before every alarm until then: it begins when we hear of it."""
    latest = now + FUTURE_US
    started_at = finding.started_at if finding.started_at <= latest else now
    last_at = max(started_at, min(finding.last_at, latest))
    ended_at = None if finding.ended_at is None else max(last_at, min(finding.ended_at, latest))
    return replace(finding, started_at=started_at, last_at=last_at, ended_at=ended_at)


def _moved(finding: Finding, at: int) -> Finding:
    return replace(finding, started_at=at, last_at=at)


def _ended(finding: Finding, at: int, now: int) -> Finding:
    return _clipped(replace(finding, ended_at=max(at, finding.last_at)), now)
