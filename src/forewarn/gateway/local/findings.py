"""Findings of a gateway: those that are open, and the last ones that ended."""

import contextlib
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

import msgspec

from forewarn.contracts.anomaly_store import Anomaly, AnomalyQuery
from forewarn.domain.access import Scope
from forewarn.domain.audit import Deed
from forewarn.domain.errors import Conflict, NotFound
from forewarn.domain.findings import AnomalyStatus, Feedback, Finding
from forewarn.gateway.local.database import Memory

_MOST_ENDED: Final = 10_000


class LocalFindings:
    """AnomalyStore of a gateway; people work on findings at the site."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def within(self, scope: Scope) -> "LocalFindings":
        return self

    def upsert(self, findings: Sequence[Finding]) -> None:
        rows = [
            (f.signal_key, f.detector, f.started_at, f.ended_at is None, msgspec.json.encode(f).decode())
            for f in findings
        ]
        with self._memory.write() as connection:
            connection.executemany("INSERT OR REPLACE INTO finding VALUES (?, ?, ?, ?, ?)", rows)
            connection.execute(
                "DELETE FROM finding WHERE open = 0 AND started_at < (SELECT started_at FROM finding WHERE open = 0 "
                "ORDER BY started_at DESC LIMIT 1 OFFSET ?)",
                (_MOST_ENDED,),
            )

    def merge(self, findings: Sequence[Finding]) -> Sequence[Finding]:
        """As `upsert`: nothing comes late or twice within a gateway."""
        self.upsert(findings)
        return findings

    def open_episodes(self) -> Sequence[Finding]:
        with self._memory.read() as connection:
            rows = connection.execute("SELECT body FROM finding WHERE open = 1 ORDER BY started_at").fetchall()
        return _findings(rows)

    def models_in_use(self) -> Collection[str]:
        return {f.evidence.model for f in self.open_episodes() if f.evidence is not None and f.evidence.model}

    def find(self, query: AnomalyQuery) -> tuple[Sequence[Anomaly], str | None]:
        """The newest `limit` that fit, without a cursor: a gateway keeps few."""
        with self._memory.read() as connection:
            rows = connection.execute("SELECT body FROM finding ORDER BY started_at DESC").fetchall()
        fitting = [f for f in _findings(rows) if _fits(f, query)]
        return [
            Anomaly(f"{f.signal_key}-{f.detector}-{f.started_at}", f, AnomalyStatus.OPEN, f.started_at)
            for f in fitting[: query.limit]
        ], None

    def get(self, anomaly_id: str) -> Anomaly:
        """Raises NotFound."""
        raise NotFound(f"a gateway keeps no anomaly {anomaly_id!r} to be asked for: ask the site")

    def earlier(self, detector: str, asset_ids: Sequence[str], before: int, limit: int) -> Sequence[Anomaly]:
        return []

    def open_counts(self) -> Mapping[str, int]:
        counts: dict[str, int] = {}
        for finding in self.open_episodes():
            counts[finding.asset_id] = counts.get(finding.asset_id, 0) + 1
        return counts

    def give_feedback(
        self, anomaly_id: str, feedback: Feedback | None, deed: Callable[[Anomaly, Anomaly], Deed] | None = None
    ) -> Anomaly:
        """Raises Conflict."""
        raise Conflict("a gateway keeps no feedback on findings: give it at the site")

    def labelled(self, detector: str) -> Sequence[Anomaly]:
        return []

    def set_status(
        self,
        anomaly_id: str,
        status: AnomalyStatus,
        note: str,
        at: int,
        deed: Callable[[Anomaly, Anomaly], Deed] | None = None,
    ) -> Anomaly:
        raise Conflict("a gateway keeps no work on findings: do it at the site")


def _findings(rows: Sequence[tuple[str]]) -> list[Finding]:
    """Those that a bad disk left readable."""
    found = []
    for (text,) in rows:
        with contextlib.suppress(msgspec.DecodeError, TypeError, AttributeError):
            found.append(_finding(text))
    return found


def _finding(text: str) -> Finding:
    """What has no value (of a model, of a state) is written as null."""
    told = msgspec.json.decode(text)
    return msgspec.convert(told if told.get("value") is not None else told | {"value": math.nan}, Finding)


def _fits(finding: Finding, query: AnomalyQuery) -> bool:
    return (
        query.asset_id in (None, finding.asset_id)
        and query.signal_id in (None, finding.signal_id)
        and query.severity in (None, finding.severity)
        and query.status in (None, AnomalyStatus.OPEN)
        and (query.start is None or finding.started_at >= query.start)
        and (query.end is None or finding.started_at < query.end)
    )
