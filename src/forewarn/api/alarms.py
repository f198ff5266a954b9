"""Alarms: who stands, who saw it, and what people did."""

from collections import Counter
from enum import StrEnum
from typing import Annotated, Final, Self, TypeVar

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from forewarn.api.alarm_actions import Action, ActionRequest, take
from forewarn.api.deeds import deed_of
from forewarn.api.guard import LONGEST_REQUEST, GuardedRoute, principal_of
from forewarn.api.parts import ApiParts, Parts
from forewarn.api.problems import ERROR_RESPONSES
from forewarn.api.times import Instant, text_of
from forewarn.contracts.alarm_store import Alarm, AlarmKey
from forewarn.contracts.plant_view import PlantView
from forewarn.domain.alarms import AlarmEvent, AlarmState, Condition, Priority
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.errors import ForewarnError, InvalidInput, NotFound

router = APIRouter(
    prefix="/api/v1/alarms",
    tags=["alarms"],
    responses=ERROR_RESPONSES,
    route_class=GuardedRoute,
    max_body_size=LONGEST_REQUEST,
)
_MOST: Final = 1_000
_MOST_AT_ONCE: Final = 200
_Word = TypeVar("_Word", bound=StrEnum)


def _time(us: int | None) -> str | None:
    return None if us is None else text_of(us)


class AlarmView(BaseModel):
    id: str
    asset_id: str
    asset_name: str
    rule_id: str
    signal_id: str
    title: str
    priority: Priority
    state: AlarmState
    active: bool
    latched: bool
    condition: Condition
    threshold: float
    value: float | None
    unit: str
    raised_at: Instant | None
    returned_at: Instant | None
    acknowledged_at: Instant | None
    acknowledged_by: str | None
    shelved_until: Instant | None
    shelved_by: str | None
    occurrences: int
    cause: str
    consequence: str
    action: str
    response_minutes: int

    @classmethod
    def of(cls, alarm: Alarm, plant: PlantView) -> Self:
        rule, status = alarm.rule, alarm.status
        asset = plant.assets.get(rule.asset_id)
        table = plant.table
        signal = table.signals[table.key_of.get(rule.signal_id, 0)]
        return cls(
            id=alarm.id,
            asset_id=rule.asset_id,
            asset_name=asset.name if asset else rule.asset_id,
            rule_id=rule.rule_id,
            signal_id=rule.signal_id,
            title=rule.title,
            priority=rule.priority,
            state=status.state,
            active=status.active,
            latched=status.latched,
            condition=rule.condition,
            threshold=rule.threshold,
            value=status.value,
            unit=signal.unit if signal else "",
            raised_at=_time(status.raised_at),
            returned_at=_time(status.returned_at),
            acknowledged_at=_time(status.acknowledged_at),
            acknowledged_by=status.acknowledged_by,
            shelved_until=_time(status.shelved_until),
            shelved_by=status.shelved_by,
            occurrences=status.occurrences,
            cause=rule.cause,
            consequence=rule.consequence,
            action=rule.action,
            response_minutes=rule.response_minutes,
        )


class AlarmEventView(BaseModel):
    at: Instant
    kind: str
    state: AlarmState
    by: str
    comment: str
    value: float | None

    @classmethod
    def of(cls, e: AlarmEvent) -> Self:
        return cls(at=text_of(e.at), kind=e.kind, state=e.state, by=e.by, comment=e.comment, value=e.value)


class AlarmList(BaseModel):
    """counts: alarms by state, whatever the filter; those that are normal are not counted."""

    alarms: list[AlarmView]
    counts: dict[AlarmState, int]


class Journal(BaseModel):
    events: list[AlarmEventView]


class ActionResult(BaseModel):
    id: str
    ok: bool
    detail: str
    alarm: AlarmView | None


class ActionResults(BaseModel):
    results: list[ActionResult]


class ActionBody(BaseModel):
    """minutes: for `shelve` only, 1 to 10080 (a week). The journal names who is signed in."""

    model_config = ConfigDict(extra="forbid")

    ids: Annotated[list[str], Field(min_length=1, max_length=_MOST_AT_ONCE)]
    action: Action
    comment: str = Field("", max_length=2_000)
    minutes: int | None = Field(None, ge=1, le=10_080)


def _words(words: str | None, kind: type[_Word], field: str) -> list[_Word] | None:
    if not words:
        return None
    try:
        return [kind(word) for word in words.split(",")]
    except ValueError as error:
        raise InvalidInput(f"{field}: {error}", field=field) from None


def key_of(alarm_id: str) -> AlarmKey:
    """(asset_id, rule_id) of `<asset_id>/<rule_id>`. Raises NotFound."""
    asset_id, slash, rule_id = alarm_id.partition("/")
    if not slash:
        raise NotFound(f"{alarm_id!r} is no alarm id; it reads <asset_id>/<rule_id>")
    return asset_id, rule_id


@router.get("")
def list_alarms(
    parts: Parts, state: str | None = None, asset_id: str | None = None, priority: str | None = None
) -> AlarmList:
    """Most urgent first; without `state` all that are not normal. state, priority: words joined by commas."""
    alarms = parts.alarms.find(_words(state, AlarmState, "state"), asset_id, _words(priority, Priority, "priority"))
    counts = Counter(a.status.state for a in parts.alarms.find(None, None, None))
    return AlarmList(
        alarms=[AlarmView.of(a, parts.plant) for a in alarms],
        counts={state: counts.get(state, 0) for state in AlarmState if state is not AlarmState.NORMAL},
    )


@router.post("/actions")
def act(body: ActionBody, parts: Parts, request: Request) -> ActionResults:
    """Each id answers for itself: one that its state forbids does not hold up the others."""
    if body.action == "shelve" and body.minutes is None:
        raise InvalidInput("shelve needs minutes, 1 to 10080", field="minutes")
    wanted = ActionRequest(body.action, principal_of(request).label, body.comment, body.minutes or 0, parts.clock())
    return ActionResults(results=[_act(alarm_id, wanted, parts, request) for alarm_id in body.ids])


def _act(alarm_id: str, wanted: ActionRequest, parts: ApiParts, request: Request) -> ActionResult:
    def deed(before: Alarm, after: Alarm) -> Deed:
        was, now = _standing(before), _standing(after) | {"action": wanted.action}
        return deed_of(request, AuditAction.ALARM_ACTED, after.id, before=was, after=now, why=wanted.comment)

    try:
        alarm = take(key_of(alarm_id), wanted, parts, deed)
    except ForewarnError as error:
        return ActionResult(id=alarm_id, ok=False, detail=str(error), alarm=None)
    return ActionResult(id=alarm_id, ok=True, detail="", alarm=AlarmView.of(alarm, parts.plant))


def _standing(alarm: Alarm) -> dict[str, object]:
    return {"state": alarm.status.state.value, "shelved_until": _time(alarm.status.shelved_until)}


@router.get("/journal")
def journal(id: str, parts: Parts, limit: Annotated[int, Query(ge=1, le=_MOST)] = 200) -> Journal:
    """Newest first."""
    return Journal(events=[AlarmEventView.of(e) for e in parts.alarms.journal(key_of(id), limit)])
