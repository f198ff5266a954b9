"""Assets: the worklist, and one machine with its signals."""

from collections.abc import Sequence
from itertools import chain

from fastapi import APIRouter
from pydantic import BaseModel

from forewarn.api.asset_board import AssetBoard, read_board
from forewarn.api.guard import GuardedRoute
from forewarn.api.parts import Parts
from forewarn.api.problems import ERROR_RESPONSES
from forewarn.api.times import Instant, text_of
from forewarn.domain.assets import Asset, AssetStatus, Signal
from forewarn.domain.errors import NotFound
from forewarn.domain.status import severity_name
from forewarn.policies.worklist import AssetCondition, Standing, rank

router = APIRouter(prefix="/api/v1/assets", tags=["assets"], responses=ERROR_RESPONSES, route_class=GuardedRoute)


class Headline(BaseModel):
    signal_id: str
    name: str
    unit: str
    value: float | None
    time: Instant


class AssetSummary(BaseModel):
    id: str
    name: str
    path: tuple[str, str, str, str]
    template: str
    status: AssetStatus
    condition: AssetCondition
    reason: str
    since: Instant | None
    last_reading_at: Instant | None
    active_alarms: int
    unacknowledged: int
    open_anomalies: int
    shelved: int
    running: bool | None
    headline: Headline | None


class AssetList(BaseModel):
    assets: list[AssetSummary]


class LimitsView(BaseModel):
    low_critical: float | None
    low: float | None
    high: float | None
    high_critical: float | None


class Latest(BaseModel):
    time: Instant
    value: float | None
    quality: int
    quality_name: str


class SignalInfo(BaseModel):
    """thinned: a gateway watches it and sends what is needed to know the rest, so a pause is no gap."""

    id: str
    key: int
    name: str
    kind: str
    unit: str
    range_low: float | None
    range_high: float | None
    limits: LimitsView
    source: str | None
    address: str | None
    rate_hz: float
    learning: bool
    thinned: bool
    latest: Latest | None


class ComponentView(BaseModel):
    name: str
    failure_modes: list[str]


class AssetDetail(AssetSummary):
    specifications: dict[str, str | float | int | bool]
    components: list[ComponentView]
    signals: list[SignalInfo]


@router.get("")
def list_assets(parts: Parts) -> AssetList:
    """Every machine, most urgent first."""
    board = read_board(parts)
    standings = rank([board.standing(asset_id) for asset_id in board.assets])
    return AssetList(assets=[_summary(board, standing) for standing in standings])


@router.get("/{asset_id}")
def get_asset(asset_id: str, parts: Parts) -> AssetDetail:
    """One machine with its signals and their latest readings."""
    asset = parts.plant.assets.get(asset_id)
    if asset is None:
        raise NotFound(f"there is no asset {asset_id!r}")
    board = read_board(parts, asset_id)
    return AssetDetail(
        **_summary(board, board.standing(asset_id)).model_dump(),
        specifications=dict(asset.specifications),
        components=[ComponentView(name=c.name, failure_modes=list(c.failure_modes)) for c in asset.components],
        signals=[_signal(board, s) for s in board.signals[asset_id]],
    )


def _summary(board: AssetBoard, standing: Standing) -> AssetSummary:
    asset: Asset = board.assets[standing.asset_id]
    last = board.last_reading_at(asset.id)
    return AssetSummary(
        id=asset.id,
        name=asset.name,
        path=asset.path,
        template=asset.template,
        status=asset.status,
        condition=standing.condition,
        reason=standing.reason,
        since=None if standing.since is None else text_of(standing.since),
        last_reading_at=None if last is None else text_of(last),
        active_alarms=standing.active_alarms,
        unacknowledged=standing.unacknowledged,
        open_anomalies=board.open_anomalies.get(asset.id, 0),
        shelved=standing.shelved,
        running=board.running(asset.id),
        headline=_headline(board, board.signals[asset.id], standing.signal_id),
    )


def _headline(board: AssetBoard, signals: Sequence[Signal], wanted: str | None) -> Headline | None:
    """The signal of the most urgent alarm or finding; else vibration, else the first that has a reading."""
    leading = [s for s in signals if s.id == wanted]
    vibration = [s for s in signals if s.kind.startswith("vibration")]
    for signal in chain(leading, vibration, signals):
        latest = board.latest(signal.key)
        if latest is not None:
            time, value, _ = latest
            return Headline(signal_id=signal.id, name=signal.name, unit=signal.unit, value=value, time=text_of(time))
    return None


def _signal(board: AssetBoard, signal: Signal) -> SignalInfo:
    latest = board.latest(signal.key)
    limits = signal.limits
    return SignalInfo(
        id=signal.id,
        key=signal.key,
        name=signal.name,
        kind=signal.kind,
        unit=signal.unit,
        range_low=signal.range_low,
        range_high=signal.range_high,
        limits=LimitsView(
            low_critical=limits.low_critical, low=limits.low, high=limits.high, high_critical=limits.high_critical
        ),
        source=signal.source,
        address=signal.address,
        rate_hz=signal.rate_hz,
        learning=board.learning(signal.key),
        thinned=bool(board.vouched[signal.key]),
        latest=None
        if latest is None
        else Latest(time=text_of(latest[0]), value=latest[1], quality=latest[2], quality_name=severity_name(latest[2])),
    )
