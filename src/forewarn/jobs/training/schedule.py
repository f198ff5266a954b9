"""When machines are learned, first and anew: decided from what is on record, so that a restart forgets nothing.

Machines of a lot (one site, one template, a hundred at the most) are learned together, so that their models can be
rolled out together: one in ten as canary means something then. Lots are spread over the week.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from forewarn.domain.jobs import Attempts, NextTraining
from forewarn.kit.clock import DAY, HOUR, SECOND

# A model that has not seen a whole day alarms when the evening comes: learned from 1, 6, 12 and 24 hours of the
# simulator's eleven machines, 408, 69, 4 and 2 false episodes followed within a day.
_LEAST_PAST_US: Final = DAY
_JOINS: Final = 0.9  # of its own waiting: who has waited so long goes along with its lot


class Reason(StrEnum):
    """Of a training that nobody asked for, most urgent first."""

    REFUSED = "its model does not fit the plant any more"
    FIRST = "it has no model yet"
    YOUNG = "its model has not seen a whole day"
    DRIFT = "it has left what its model was learned from"
    GROWN = "its past has doubled"
    OLD = "its model has grown old"


THEN: Final = {
    Reason.GROWN: "its past will have doubled by then",
    Reason.OLD: "it is the turn of the machines of its site and template then",
}
UNDER_WAY: Final = "a training of it is under way, or waits for its turn"
_LOOKED_AT: Final = "whether its past suffices is looked at"
IN_ROLLOUT: Final = "it is in a rollout: after that has ended"


@dataclass(frozen=True, slots=True)
class ScheduleSettings:
    """every_us: 0 = what is learned is never learned anew by itself. retry_us doubles with each time in vain, up to
    most_retry_us. refused_us: a refusal must have stood for so long. drift_us: after that long in its new state, where
    `on_drift`."""

    every_us: int = 7 * DAY
    on_drift: bool = False
    lot: int = 100
    retry_us: int = 600 * SECOND
    most_retry_us: int = DAY
    refused_us: int = 600 * SECOND
    drift_us: int = DAY


@dataclass(frozen=True, slots=True)
class TrainedMachine:
    """What is on record of a machine; times are microseconds UTC, 0: never. group: its site and template. learned_at:
    when its newest model was; learned_us, champion_us: length of the past that this one and its champion learned from.
    refused_since: its champion cannot be used since then, which a new model would mend; is_misfit: as the plant's
    signals are others, also than those of its newest model. drifting_since: an advisory stands. is_tried: its models
    are in an open rollout. is_left: it has no champion, though the site itself made its newest model to become it."""

    asset_id: str
    group: str
    has_champion: bool = False
    learned_at: int = 0
    learned_us: int = 0
    champion_us: int = 0
    refused_since: int = 0
    is_misfit: bool = False
    drifting_since: int = 0
    is_tried: bool = False
    is_left: bool = False
    attempts: Attempts = field(default_factory=Attempts)


def due(machines: Sequence[TrainedMachine], now: int, settings: ScheduleSettings) -> Mapping[Reason, tuple[str, ...]]:
    """Machines to be learned now, by why. FIRST is of machines that have no model, YOUNG of those whose model was
    learned in a hurry: whether their past suffices is to be looked at."""
    lots = lots_of(machines, settings.lot)
    found: dict[Reason, list[str]] = defaultdict(list)
    joined: dict[str, Reason] = {}
    waiting: list[TrainedMachine] = []
    for machine in machines:
        reason = _reason(machine, lots[machine.asset_id], now, settings)
        if reason is None:
            waiting.append(machine)
            continue
        found[reason].append(machine.asset_id)
        if reason in (Reason.GROWN, Reason.OLD):
            joined[lots[machine.asset_id]] = reason
    for machine in waiting:
        lot = lots[machine.asset_id]
        if lot in joined and _may(machine, now, settings) and _has_grown(machine, now, settings, _JOINS):
            found[joined[lot]].append(machine.asset_id)
    return {reason: tuple(found[reason]) for reason in Reason if found[reason]}


def next_training(
    machine: TrainedMachine, lot: str, now: int, settings: ScheduleSettings, waits: str = ""
) -> NextTraining | None:
    """When `due` will name it, if nothing else changes; `now` where it does already. A machine of its lot that is due
    before then may draw it along, a tenth of its own waiting sooner at the most. at is None where something else must
    end first, or a past that must suffice is looked at already. None: never. lot: its lot's name. waits: what its past
    is short of, in words."""
    if machine.attempts.is_open:
        return NextTraining(None, UNDER_WAY)
    reasons = _reasons_by_time(machine, lot, settings)
    if not reasons:
        return NextTraining(None, IN_ROLLOUT) if machine.is_tried and settings.every_us else None
    at = max(now, min(reasons.values()))
    reason = next(reason for reason in Reason if reasons.get(reason, at + 1) <= at)
    if at == now:
        looks = reason in (Reason.FIRST, Reason.YOUNG)
        return NextTraining(None, waits or f"{reason}; {_LOOKED_AT}") if looks else NextTraining(at, reason.value)
    why, tried = THEN.get(reason, reason.value), machine.attempts.in_vain
    if tried and at == retry_at(machine.attempts, settings):
        why += f"; the last {tried} came to nothing" if tried > 1 else "; the last one came to nothing"
    return NextTraining(at, why)


def lots_of(machines: Iterable[TrainedMachine], most: int) -> Mapping[str, str]:
    """A lot's name by asset id; the same as long as its group does not outgrow it."""
    groups: dict[str, list[str]] = defaultdict(list)
    for machine in machines:
        groups[machine.group].append(machine.asset_id)
    return {
        asset_id: f"{group}#{_number(asset_id) % parts}"
        for group, members in groups.items()
        for parts in (-(-len(members) // most),)
        for asset_id in members
    }


def retry_at(attempts: Attempts, settings: ScheduleSettings) -> int:
    """Not before then: after what came to nothing, and what a person cancelled."""
    again = 0
    if attempts.in_vain:
        doubled = min(attempts.in_vain - 1, 30)
        again = attempts.last_at + min(settings.retry_us << doubled, settings.most_retry_us)
    return max(again, attempts.cancelled_at + settings.most_retry_us if attempts.cancelled_at else 0)


def least_past_us(step_us: int, least_rows: int = 300) -> int:
    """Healthy past that a first model is tried with: a day, or more of what is read seldom."""
    return max(_LEAST_PAST_US, least_rows * step_us)


def _reason(machine: TrainedMachine, lot: str, now: int, settings: ScheduleSettings) -> Reason | None:
    if _is_refused(machine, now, settings):
        return Reason.REFUSED
    if not _may(machine, now, settings):
        return None
    if not machine.has_champion and (machine.is_left or not machine.learned_at):
        return Reason.FIRST
    if machine.has_champion and machine.champion_us < _LEAST_PAST_US:
        return Reason.YOUNG if now - _learned(machine) >= HOUR else None
    last = max(machine.attempts.last_at, machine.learned_at)
    begun = machine.drifting_since + settings.drift_us
    if settings.on_drift and machine.has_champion and machine.drifting_since and last < begun <= now:
        return Reason.DRIFT
    if not settings.every_us:
        return None
    if _has_grown(machine, now, settings):
        return Reason.GROWN
    slot = _slot_before(lot, now, settings.every_us)
    return Reason.OLD if slot - _learned(machine) >= settings.every_us // 2 else None


def _reasons_by_time(machine: TrainedMachine, lot: str, settings: ScheduleSettings) -> dict[Reason, int]:
    """From when on `_reason` gives each of them, where no more urgent one does."""
    free, learned = retry_at(machine.attempts, settings), _learned(machine)
    last, found = max(machine.attempts.last_at, machine.learned_at), dict[Reason, int]()
    if machine.refused_since and (machine.is_misfit or not machine.is_tried):
        since = machine.refused_since
        again = 0 if last < since else last + settings.most_retry_us
        found[Reason.REFUSED] = max(free, since + settings.refused_us, again)
    if machine.is_tried:
        return found
    if not machine.has_champion and (machine.is_left or not machine.learned_at):
        return found | {Reason.FIRST: free}
    if machine.has_champion and machine.champion_us < _LEAST_PAST_US:
        return found | {Reason.YOUNG: max(free, learned + HOUR)}
    begun = machine.drifting_since + settings.drift_us
    if settings.on_drift and machine.has_champion and machine.drifting_since and last < begun:
        found[Reason.DRIFT] = max(free, begun)
    if not settings.every_us:
        return found
    if machine.has_champion and (wait := _doubling_us(machine)) < settings.every_us:
        found[Reason.GROWN] = max(free, learned + wait)
    half = learned + settings.every_us // 2
    slot = _slot_before(lot, half + settings.every_us - 1, settings.every_us)
    return found | {Reason.OLD: max(free, slot)}


def _may(machine: TrainedMachine, now: int, settings: ScheduleSettings) -> bool:
    return not machine.is_tried and _is_free(machine, now, settings)


def _is_free(machine: TrainedMachine, now: int, settings: ScheduleSettings) -> bool:
    return not machine.attempts.is_open and now >= retry_at(machine.attempts, settings)


def _is_refused(machine: TrainedMachine, now: int, settings: ScheduleSettings) -> bool:
    """Long enough, and not tried since, or not for a day. What is tried beside a misfit does not fit either."""
    since = machine.refused_since
    if not since or now - since < settings.refused_us or (machine.is_tried and not machine.is_misfit):
        return False
    last = max(machine.attempts.last_at, machine.learned_at)
    return (last < since or now - last >= settings.most_retry_us) and _is_free(machine, now, settings)


def _has_grown(machine: TrainedMachine, now: int, settings: ScheduleSettings, share: float = 1.0) -> bool:
    """Little past was learned from, and as much has come since."""
    wait = _doubling_us(machine)
    return machine.has_champion and wait < settings.every_us and now - _learned(machine) >= share * wait


def _doubling_us(machine: TrainedMachine) -> int:
    return max(machine.learned_us, machine.champion_us, _LEAST_PAST_US)


def _learned(machine: TrainedMachine) -> int:
    return max(machine.learned_at, machine.attempts.done_at)


def _slot_before(lot: str, now: int, every_us: int) -> int:
    """The lot's own time, once in `every_us`: the last one until now."""
    offset = _number(lot) % every_us
    return now - (now - offset) % every_us


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
