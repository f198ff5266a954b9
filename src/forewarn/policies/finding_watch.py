"""FINDING rules: an alarm stands as long as one of the findings it watches is open."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from forewarn.domain.alarms import AlarmEvent, AlarmRule, AlarmStatus
from forewarn.domain.findings import Finding
from forewarn.policies import alarm_lifecycle as lifecycle

AlarmKey = tuple[str, str]
Transition = Callable[[AlarmRule, AlarmStatus], tuple[AlarmStatus, Sequence[AlarmEvent]]]
Change = tuple[AlarmKey, Transition]
Standing = tuple[AlarmRule, bool]  # a rule, and whether it is active
Open = dict[AlarmKey, frozenset[str]]


class FindingWatch:
    """`rule.detector` names detectors, comma-separated; '' is any. on_delay_s is compared with the finding's length
    each time the finding is told."""

    def __init__(self, rules: Iterable[Standing], opened: Mapping[AlarmKey, frozenset[str]] | None = None) -> None:
        self._of_signal: dict[int, list[AlarmRule]] = {}
        self._active: dict[AlarmKey, bool] = {}
        self._detectors: dict[AlarmKey, frozenset[str]] = {}
        for rule, active in rules:
            key = (rule.asset_id, rule.rule_id)
            self._of_signal.setdefault(rule.signal_key, []).append(rule)
            self._active[key] = active
            self._detectors[key] = frozenset(d.strip() for d in rule.detector.split(",") if d.strip())
        self._opened: Open = {k: v for k, v in (opened or {}).items() if k in self._active}

    def renewed(self, rules: Iterable[Standing]) -> "FindingWatch":
        """For new rules, with the findings known to be open."""
        return FindingWatch(rules, self._opened)

    def follow(self, findings: Sequence[Finding]) -> tuple[list[Change], Open]:
        """Changes, and the open findings by rule once those are stored (see `keep`)."""
        opened, active = dict(self._opened), dict(self._active)
        changes: list[Change] = []
        for finding in findings:
            for rule in self._of_signal.get(finding.signal_key, ()):
                if self._watches(rule, finding):
                    changes.extend(self._step(rule, finding, opened, active))
        return changes, opened

    def reconcile(self, opened: Open, at: int) -> list[Change]:
        """After a restart, once all open findings were told: alarms that none of them holds up have returned."""
        stale = [k for k, active in self._active.items() if active and not opened.get(k)]
        return [(key, partial(_return_late, at=at)) for key in stale]

    def keep(self, opened: Open) -> None:
        self._opened = opened

    def settle(self, standing: Mapping[AlarmKey, bool]) -> None:
        """Take over what the store made of the changes."""
        self._active.update({k: v for k, v in standing.items() if k in self._active})

    def _watches(self, rule: AlarmRule, finding: Finding) -> bool:
        named = self._detectors[(rule.asset_id, rule.rule_id)]
        return finding.score >= rule.threshold and (not named or finding.detector in named)

    def _step(self, rule: AlarmRule, finding: Finding, opened: Open, active: dict[AlarmKey, bool]) -> Iterable[Change]:
        key = (rule.asset_id, rule.rule_id)
        known = opened.get(key, frozenset())
        lasted = finding.last_at - finding.started_at >= rule.on_delay_s * 1e6
        raise_it = partial(_raise_late, at=finding.last_at, value=finding.value)
        if finding.ended_at is None:
            opened[key] = known | {finding.detector}
            if lasted and not active[key]:
                active[key] = True
                yield key, raise_it
            return
        opened[key] = known - {finding.detector}
        brief = not active[key] and finding.detector not in known and lasted
        if brief:
            yield key, partial(_raise_brief, at=finding.last_at, value=finding.value)
        if (brief or active[key]) and not opened[key]:
            active[key] = False
            yield key, partial(_return_late, at=finding.ended_at)


def _raise_late(
    rule: AlarmRule, status: AlarmStatus, at: int, value: float
) -> tuple[AlarmStatus, Sequence[AlarmEvent]]:
    """An open finding is true now, though its last reading may be older than the alarm's last return."""
    after = max(at, (status.raised_at or at - 1) + 1, status.returned_at or at)
    return lifecycle.raised(rule, status, after, value)


def _raise_brief(
    rule: AlarmRule, status: AlarmStatus, at: int, value: float
) -> tuple[AlarmStatus, Sequence[AlarmEvent]]:
    """It is over, and after a restart it may be told again: what has returned since then is not news."""
    if status.returned_at is not None and at <= status.returned_at:
        return status, []
    return lifecycle.raised(rule, status, at, value)


def _return_late(rule: AlarmRule, status: AlarmStatus, at: int) -> tuple[AlarmStatus, Sequence[AlarmEvent]]:
    return lifecycle.returned(rule, status, max(at, status.raised_at or at))
