"""Gateways as people see them."""

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Any, Final

from pydantic import BaseModel

from forewarn.api.gateway_desk import GatewayDesk
from forewarn.api.gateway_model_views import GatewayModels
from forewarn.api.times import Instant, text_of
from forewarn.contracts.gateway_records import GatewayRecord, PastCondition, RawRequest
from forewarn.domain.conditions import ConditionCode, GatewayCondition
from forewarn.domain.gateways import BufferStatus, GatewayRole, GatewayStatus, LedgerSums, SiteState, UplinkStatus
from forewarn.domain.sources import SourceState, SourceStatus
from forewarn.kit.clock import SECOND

AWAY_US: Final = 30 * SECOND


class GatewayState(StrEnum):
    """As the site sees it. WAITING: it sent its signals, but no heartbeat yet. WAITING_FOR_DISK: it is heard, and
    collects nothing before its files can be opened."""

    WAITING = "waiting"
    WAITING_FOR_DISK = "waiting_for_disk"
    CONNECTED = "connected"
    CATCHING_UP = "catching_up"
    AWAY = "away"


class ConditionView(BaseModel):
    """since, last_at: by the gateway's clock; ended_at: by the site's, null while it holds. subject: a source or an
    output, '' for the gateway. text: what was seen. remedy: what to do, '' where the text says it."""

    code: ConditionCode
    subject: str
    since: Instant
    last_at: Instant
    ended_at: Instant | None
    text: str
    remedy: str
    count: int

    @classmethod
    def of(cls, condition: GatewayCondition, ended_at: int | None = None) -> "ConditionView":
        return cls(
            code=condition.code,
            subject=condition.subject,
            since=text_of(condition.since),
            last_at=text_of(condition.last_at),
            ended_at=instant(ended_at),
            text=condition.text,
            remedy=condition.remedy,
            count=condition.count,
        )


class UplinkView(BaseModel):
    """clock_offset_s: the site's clock minus the gateway's, uncertain by round_trip_s / 2. catch_up_s: how long the
    backlog lasts at the pace of the last minute; null where it does not shrink."""

    clock_offset_s: float | None
    round_trip_s: float | None
    live_lag_s: float
    backlog_parcels: int
    backlog_readings: int
    backlog_bytes: int
    oldest_backlog_at: Instant | None
    catch_up_s: float | None
    last_acknowledged_at: Instant | None
    last_error: str
    sent_bytes: int

    @classmethod
    def of(cls, uplink: UplinkStatus, catch_up_s: float | None) -> "UplinkView":
        return cls(
            clock_offset_s=uplink.clock_offset_s,
            round_trip_s=uplink.round_trip_s,
            live_lag_s=uplink.live_lag_s,
            backlog_parcels=uplink.backlog_parcels,
            backlog_readings=uplink.backlog_readings,
            backlog_bytes=uplink.backlog_bytes,
            oldest_backlog_at=instant(uplink.oldest_backlog_at),
            catch_up_s=catch_up_s if uplink.backlog_parcels else 0.0,
            last_acknowledged_at=instant(uplink.last_acknowledged_at),
            last_error=uplink.last_error,
            sent_bytes=uplink.sent_bytes,
        )


class BufferView(BaseModel):
    """full_in_s: without the site and at the present rate; null: not soon."""

    budget_bytes: int
    raw_bytes: int
    outbox_bytes: int
    free_disk_bytes: int
    raw_from: Instant | None
    full_in_s: float | None

    @classmethod
    def of(cls, buffer: BufferStatus) -> "BufferView":
        return cls(
            budget_bytes=buffer.budget_bytes,
            raw_bytes=buffer.raw_bytes,
            outbox_bytes=buffer.outbox_bytes,
            free_disk_bytes=buffer.free_disk_bytes,
            raw_from=instant(buffer.raw_from),
            full_in_s=buffer.full_in_s,
        )


class LedgerView(BaseModel):
    """Readings since the gateway's first day. read = kept + thinned + in_hand; kept = acknowledged + pending +
    refused + left_to_partner + thinned_early."""

    read: int
    kept: int
    thinned: int
    in_hand: int
    acknowledged: int
    pending: int
    refused: int
    left_to_partner: int
    thinned_early: int
    rejected: int
    duplicate: int
    adds_up: bool

    @classmethod
    def of(cls, sums: LedgerSums) -> "LedgerView":
        names = [name for name in cls.model_fields if name != "adds_up"]
        return cls(adds_up=sums.adds_up, **{name: getattr(sums, name) for name in names})


class ConnectorView(BaseModel):
    """One source of the gateway. rate: readings per second over the last minute. delay_s: the way here plus what the
    device's clock is behind the gateway's (negative: it runs ahead)."""

    name: str
    connector: str
    state: SourceState
    state_since: Instant
    last_reading_at: Instant | None
    readings: int
    rate: float | None
    rejected: int
    reconnects: int
    last_error: str
    delay_s: float | None

    @classmethod
    def of(cls, source: SourceStatus, rate: float | None) -> "ConnectorView":
        return cls(
            name=source.name,
            connector=source.connector,
            state=source.state,
            state_since=text_of(source.state_since),
            last_reading_at=instant(source.last_reading_at),
            readings=source.readings,
            rate=rate,
            rejected=source.rejected,
            reconnects=source.reconnects,
            last_error=source.last_error,
            delay_s=source.delay_s,
        )


class GatewaySummary(BaseModel):
    """signals, silent: how many it has, and how many of them nothing was heard of. conditions: how many hold, `away`
    among them. catch_up_s, backlog_readings, live_lag_s, clock_offset_s, buffer, adds_up: null before the first
    heartbeat and while the gateway waits for its disk."""

    name: str
    state: GatewayState
    state_since: Instant
    role: GatewayRole | None
    version: str
    first_seen: Instant
    last_seen: Instant | None
    seconds_since_last: float | None
    signals: int
    silent: int
    alarms: int
    conditions: int
    sources: int
    sources_connected: int
    live_lag_s: float | None
    backlog_readings: int | None
    catch_up_s: float | None
    clock_offset_s: float | None
    buffer: BufferView | None
    adds_up: bool | None


class GatewayDetail(GatewaySummary):
    """conditions_now: with `unreachable` where it is away. journal: those that ended, newest first.
    unknown_signals: ids that the plant does not know, the first 100."""

    partner: str
    public_key: str
    started_at: Instant | None
    resident_bytes: int | None
    uplink: UplinkView | None
    ledger: LedgerView | None
    connectors: list[ConnectorView]
    conditions_now: list[ConditionView]
    journal: list[ConditionView]
    models: GatewayModels
    silent_signals: list[str]
    unknown_signals: list[str]
    signal_ids: list[str]


class RequestState(StrEnum):
    WAITING = "waiting"
    TOLD = "told"
    DONE = "done"


class RawRequestView(BaseModel):
    """WAITING: for the gateway's next heartbeat. TOLD: it sends. DONE: it sent all that its ring holds."""

    id: str
    state: RequestState
    signals: list[str]
    start: Instant
    end: Instant
    asked_by: str
    asked_at: Instant
    told_at: Instant | None
    done_at: Instant | None

    @classmethod
    def of(cls, request: RawRequest) -> "RawRequestView":
        told = RequestState.WAITING if request.told_at is None else RequestState.TOLD
        return cls(
            id=request.id,
            state=told if request.done_at is None else RequestState.DONE,
            signals=list(request.signals),
            start=text_of(request.start),
            end=text_of(request.end),
            asked_by=request.asked_by,
            asked_at=text_of(request.asked_at),
            told_at=instant(request.told_at),
            done_at=instant(request.done_at),
        )


def instant(us: int | None) -> str | None:
    return None if us is None else text_of(us)


def summary(record: GatewayRecord, desk: GatewayDesk, now: int) -> GatewaySummary:
    return GatewaySummary(**_summary(record, desk, now))


def detail(
    record: GatewayRecord,
    journal: Sequence[PastCondition],
    unknown: Sequence[str],
    desk: GatewayDesk,
    now: int,
    assets: Collection[str],
) -> GatewayDetail:
    """assets: ids of the machines behind it that may be seen."""
    status = record.status
    known = status if status is not None and not status.waits_for_disk else None
    held = list(status.conditions) if status is not None else []
    if status is not None and (since := _away_since(record, desk, now)) is not None:
        held.insert(0, away_condition(since, now))
    return GatewayDetail(
        **_summary(record, desk, now),
        partner=status.partner if status else "",
        public_key=status.public_key if status else "",
        started_at=instant(status.started_at) if status else None,
        resident_bytes=status.resident_bytes if status else None,
        uplink=UplinkView.of(known.uplink, desk.catch_up_s(record.name)) if known else None,
        ledger=LedgerView.of(known.ledger) if known else None,
        connectors=[ConnectorView.of(s, desk.rate(record.name, s.name)) for s in status.sources] if status else [],
        conditions_now=[ConditionView.of(condition) for condition in held],
        journal=[ConditionView.of(past.condition, past.ended_at) for past in journal if past.ended_at is not None],
        models=GatewayModels.of(desk.models(record.name), assets),
        silent_signals=list(status.silent) if status else [],
        unknown_signals=list(unknown),
        signal_ids=list(record.signals),
    )


def away_condition(since: int, now: int) -> GatewayCondition:
    text = "nothing was heard of this gateway: look at its power and its network, and at its own page"
    return GatewayCondition(ConditionCode.UNREACHABLE, "", since, now, text)


def _away_since(record: GatewayRecord, desk: GatewayDesk, now: int) -> int | None:
    """Nobody could be heard before this process began."""
    seen = record.last_seen
    return seen if seen is not None and now - max(seen, desk.started_at) > AWAY_US else None


def _summary(record: GatewayRecord, desk: GatewayDesk, now: int) -> dict[str, Any]:
    status, away = record.status, _away_since(record, desk, now)
    state, since = _state(record, status, away)
    sources = status.sources if status else ()
    known = status if status and not status.waits_for_disk else None
    uplink = known.uplink if known else None
    return {
        "name": record.name,
        "state": state,
        "state_since": text_of(since),
        "role": status.role if status else None,
        "version": status.version if status else "",
        "first_seen": text_of(record.first_seen),
        "last_seen": instant(record.last_seen),
        "seconds_since_last": None if record.last_seen is None else max(0.0, (now - record.last_seen) / 1e6),
        "signals": len(record.signals),
        "silent": len(status.silent) if status else 0,
        "alarms": status.alarms if status else 0,
        "conditions": (len(status.conditions) if status else 0) + (away is not None),
        "sources": len(sources),
        "sources_connected": sum(s.state is SourceState.CONNECTED for s in sources),
        "live_lag_s": uplink.live_lag_s if uplink else None,
        "backlog_readings": uplink.backlog_readings if uplink else None,
        "catch_up_s": desk.catch_up_s(record.name) if uplink and uplink.backlog_parcels else None,
        "clock_offset_s": uplink.clock_offset_s if uplink else None,
        "buffer": BufferView.of(known.buffer) if known else None,
        "adds_up": known.ledger.adds_up if known else None,
    }


def _state(record: GatewayRecord, status: GatewayStatus | None, away: int | None) -> tuple[GatewayState, int]:
    if status is None:
        return GatewayState.WAITING, record.first_seen
    if away is not None:
        return GatewayState.AWAY, away
    if status.waits_for_disk:
        return GatewayState.WAITING_FOR_DISK, status.started_at
    busy = status.uplink.state is SiteState.CATCHING_UP
    return GatewayState.CATCHING_UP if busy else GatewayState.CONNECTED, status.uplink.state_since
