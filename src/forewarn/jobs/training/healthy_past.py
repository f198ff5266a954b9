"""Where a machine's healthy past lies: where it was read, without what people and detectors said of it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from forewarn.contracts.anomaly_store import Anomaly, AnomalyQuery, AnomalyStore
from forewarn.contracts.historian_reads import HistorianReads, Keys
from forewarn.domain.findings import BY_MODEL, AnomalyStatus, Severity, Verdict
from forewarn.domain.model_versions import Span
from forewarn.kit.clock import HOUR, SECOND, to_rfc3339
from forewarn.learning.drift_watch import DRIFTS
from forewarn.learning.unit_watch import UNIT_CHANGED
from forewarn.policies.healthy_spans import healthy_spans

_PAGE = 500
_OF_THE_MACHINE = DRIFTS | {UNIT_CHANGED}


def read_spans(past: HistorianReads, keys: Keys, start: int, end: int, bucket_us: int = HOUR) -> list[Span]:
    """The hours (or other buckets) of [start, end) in which something good was read, joined where they touch."""
    told = past.aggregate(keys, start, end, bucket_us)
    spans: list[Span] = []
    for bucket in np.unique(told.start[told.good > 0]).tolist():
        first, last = max(bucket, start), min(bucket + bucket_us, end)
        if spans and spans[-1].end == first:
            spans[-1] = Span(spans[-1].start, last)
        else:
            spans.append(Span(first, last))
    return spans


def disturbing(anomalies: AnomalyStore, asset_id: str, start: int, end: int) -> list[Anomaly]:
    """What touches [start, end) and is taken for a fault: what people confirmed, and what they left unsaid of medium
    severity and above."""
    found = _all(anomalies, AnomalyQuery(asset_id=asset_id, end=end, limit=_PAGE))
    return [a for a in found if is_fault(a) and span_of(a, end).end >= start]


def is_fault(anomaly: Anomaly) -> bool:
    """A model that cannot be used says nothing of its machine; one that sees it drift, or in another unit, does."""
    if anomaly.finding.detector == BY_MODEL and anomaly.finding.anomaly_type not in _OF_THE_MACHINE:
        return False
    if anomaly.feedback is not None:
        return anomaly.feedback.verdict is not Verdict.WRONG
    return anomaly.status is not AnomalyStatus.FALSE_POSITIVE and anomaly.finding.severity is not Severity.LOW


def span_of(anomaly: Anomaly, end: int) -> Span:
    """An episode that lasts, lasts until `end`."""
    finding = anomaly.finding
    return Span(finding.started_at, end if finding.ended_at is None else finding.ended_at)


def without(
    read: Sequence[Span], faults: Sequence[Anomaly], end: int, margin_us: int, least_us: int
) -> tuple[Span, ...]:
    disturbed = [span_of(anomaly, end) for anomaly in faults]
    parts = (healthy_spans(span.start, span.end, disturbed, margin_us, least_us) for span in read)
    return tuple(span for part in parts for span in part)


def told(read: Sequence[Span], healthy: Sequence[Span], faults: Sequence[Anomaly], end: int) -> str:
    """What there is and why it is no more, in words."""
    hours = f"readings of {length(read) / HOUR:,.1f} h, {length(healthy) / HOUR:,.1f} h of them healthy"
    if not faults:
        return hours
    longest = max(faults, key=lambda a: span_of(a, end).end - a.finding.started_at).finding
    since = to_rfc3339(longest.started_at // SECOND * SECOND)
    count = "1 finding takes" if len(faults) == 1 else f"{len(faults)} findings take"
    return f"{hours}; {count} the rest, most of all {longest.detector} of {longest.signal_id} since {since}"


def hours_seen(spans: Sequence[Span]) -> int:
    """Microseconds: hours of the clock of which a part was seen. A gateway that thins sends a part of each."""
    return HOUR * len({hour for span in spans for hour in range(span.start // HOUR, -(-span.end // HOUR))})


def length(spans: Sequence[Span]) -> int:
    """Microseconds."""
    return sum(span.end - span.start for span in spans)


def _all(anomalies: AnomalyStore, query: AnomalyQuery) -> Iterator[Anomaly]:
    while True:
        page, cursor = anomalies.find(query)
        yield from page
        if cursor is None:
            return
        query = replace(query, cursor=cursor)
