"""What a gateway found itself: the `anomalies` of a batch, and parcels of findings. Kept, then told to the line."""

import math
import threading
from collections import Counter
from collections.abc import Mapping, Sequence

import anyio.to_thread
import msgspec

from forewarn.api.edge_evidence import told_evidence
from forewarn.api.parts import ApiParts
from forewarn.api.telemetry_json import sensor_word, time_us
from forewarn.contracts.anomaly_store import AnomalyStore
from forewarn.contracts.edge_intake import EdgeIntake
from forewarn.domain.errors import InvalidInput
from forewarn.domain.findings import BY_EDGE, Finding, Severity
from forewarn.domain.signal_table import SignalTable
from forewarn.domain.verdicts import Reason
from forewarn.kit.numbers import finite
from forewarn.policies.admission import FUTURE_US

# The line hears of an episode in the order in which the catalog did: its end after its beginning.
_one_at_a_time = threading.Lock()


class _Told(msgspec.Struct):
    """A finding in a parcel: `Finding` without the key, numbers that are none as null."""

    signal_id: str
    detector: str
    anomaly_type: str
    severity: Severity
    score: float
    value: float | None
    expected: float | None
    reason: str
    started_at: int
    last_at: int
    ended_at: int | None = None
    count: int = 1
    evidence: msgspec.Raw = msgspec.Raw(b"null")


class _Parcel(msgspec.Struct):
    findings: list[_Told]


async def keep_found(parts: ApiParts, findings: Sequence[Finding]) -> int:
    """Durable first, then to judge and feed. How many said something new."""
    if not findings:
        return 0
    return len(await anyio.to_thread.run_sync(keep, parts.anomalies, parts.edge, findings))


def keep(anomalies: AnomalyStore, edge: EdgeIntake, findings: Sequence[Finding]) -> Sequence[Finding]:
    """As `keep_found`, beside the event loop. Those that said something new."""
    if not findings:
        return []
    with _one_at_a_time:
        fresh = anomalies.merge(findings)
        edge.found(fresh)
    return fresh


def told_findings(body: bytes, table: SignalTable, now_us: int) -> tuple[list[Finding], dict[str, int]]:
    """Findings of a parcel, and how many were refused for which reason. Raises InvalidInput.

    One of the future would stand before every alarm until then, so it is refused as a reading is."""
    try:
        told = msgspec.json.decode(body, type=_Parcel).findings
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"the findings are not as docs/formats/uplink.md has them: {error}", field="body") from None
    refused: Counter[str] = Counter()
    findings = []
    for one in told:
        made = _of_parcel(one, table, now_us + FUTURE_US)
        if isinstance(made, Finding):
            findings.append(made)
        else:
            refused[made.value] += 1
    return findings, dict(refused)


def _of_parcel(told: _Told, table: SignalTable, latest: int) -> Finding | Reason:
    key = table.key_of.get(told.signal_id, 0)
    signal = table.signals[key] if key else None
    if signal is None:
        return Reason.UNKNOWN_SIGNAL
    if not 0.0 <= told.score <= 1.0:
        return Reason.NOT_FINITE
    end = told.last_at if told.ended_at is None else told.ended_at
    if not (0 <= told.started_at <= told.last_at <= latest and told.started_at <= end <= latest):
        return Reason.TIME_NEGATIVE if told.started_at < 0 else Reason.TIME_IN_FUTURE
    return Finding(
        signal_key=key,
        signal_id=signal.id,
        asset_id=signal.asset_id,
        detector=_text(told.detector) or "edge",
        anomaly_type=_text(told.anomaly_type) or "edge",
        severity=told.severity,
        score=told.score,
        value=math.nan if told.value is None else told.value,
        expected=told.expected,
        reason=_text(told.reason) or "found by the gateway",
        started_at=told.started_at,
        last_at=told.last_at,
        ended_at=told.ended_at,
        count=min(max(told.count, 1), 1 << 53),
        detected_by=BY_EDGE,
        evidence=told_evidence(bytes(told.evidence), table, signal.asset_id),
    )


def findings_of(anomalies: Sequence[object], table: SignalTable, now_us: int) -> tuple[list[Finding], int]:
    """Findings, and how many could not be read, name an unknown sensor or a time in the future."""
    findings = [f for f in (_finding(a, table, now_us + FUTURE_US) for a in anomalies) if f is not None]
    return findings, len(anomalies) - len(findings)


def severity_of(score: float) -> Severity:
    """0.5 is the detector's limit; the upper half is cut in four."""
    for severity, least in ((Severity.CRITICAL, 0.95), (Severity.HIGH, 0.8), (Severity.MEDIUM, 0.65)):
        if score >= least:
            return severity
    return Severity.LOW


def _finding(anomaly: object, table: SignalTable, latest: int) -> Finding | None:
    if not isinstance(anomaly, Mapping):
        return None
    key = table.key_of.get(sensor_word(anomaly), 0)
    signal = table.signals[key] if key else None
    score, value = finite(anomaly.get("anomaly_score")), finite(anomaly.get("value"))
    if signal is None or score is None or value is None or not 0.0 <= score <= 1.0:
        return None
    try:
        at = time_us(anomaly.get("timestamp"))
    except ValueError:
        return None
    if not 0 <= at <= latest:
        return None
    return Finding(
        signal_key=key,
        signal_id=signal.id,
        asset_id=signal.asset_id,
        detector="edge",
        anomaly_type=_text(anomaly.get("anomaly_type")) or "edge",
        severity=severity_of(score),
        score=score,
        value=value,
        expected=None,
        reason=_text(anomaly.get("reason")) or "found by the gateway",
        started_at=at,
        last_at=at,
        ended_at=at,
        detected_by=BY_EDGE,
    )


def _text(given: object) -> str:
    """At most 500 printable characters."""
    return "".join(c for c in given[:500] if c.isprintable()) if isinstance(given, str) else ""
