"""What a gateway found itself: the `anomalies` of a batch as findings."""

from collections.abc import Mapping, Sequence

from forewarn.api.telemetry_json import sensor_word, time_us
from forewarn.domain.findings import Finding, Severity
from forewarn.domain.signal_table import SignalTable
from forewarn.kit.numbers import finite


def findings_of(anomalies: Sequence[object], table: SignalTable) -> tuple[list[Finding], int]:
    """Findings, and how many could not be read or name an unknown sensor."""
    findings = [f for f in (_finding(a, table) for a in anomalies) if f is not None]
    return findings, len(anomalies) - len(findings)


def severity_of(score: float) -> Severity:
    """0.5 is the detector's limit; the upper half is cut in four."""
    for severity, least in ((Severity.CRITICAL, 0.95), (Severity.HIGH, 0.8), (Severity.MEDIUM, 0.65)):
        if score >= least:
            return severity
    return Severity.LOW


def _finding(anomaly: object, table: SignalTable) -> Finding | None:
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
    if not 0 <= at < 253_402_300_800_000_000:
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
        detected_by="edge_ml",
    )


def _text(given: object) -> str:
    """At most 500 printable characters."""
    return "".join(c for c in given[:500] if c.isprintable()) if isinstance(given, str) else ""
