"""Where findings are kept, with the specification's lifecycle."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from forewarn.domain.access import Scope
from forewarn.domain.audit import Deed
from forewarn.domain.findings import AnomalyStatus, Feedback, Finding, Severity


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A stored finding. Times are microseconds UTC."""

    id: str
    finding: Finding
    status: AnomalyStatus
    created_at: int
    resolved_at: int | None = None
    note: str = ""
    feedback: Feedback | None = None


Judged = Callable[[Anomaly, Anomaly], Deed] | None  # told what was and what is


@dataclass(frozen=True, slots=True)
class AnomalyQuery:
    """Filters; None = any. Newest first, `limit` rows after `cursor` (from the last answer)."""

    asset_id: str | None = None
    signal_id: str | None = None
    status: AnomalyStatus | None = None
    severity: Severity | None = None
    start: int | None = None
    end: int | None = None
    limit: int = 100
    cursor: str | None = None


class AnomalyStore(Protocol):
    def within(self, scope: Scope) -> "AnomalyStore":
        """The same store, in which what lies outside `scope` does not exist: neither found nor changed."""

    def upsert(self, findings: Sequence[Finding]) -> None:
        """Insert or update by (signal_key, detector, started_at), in one transaction. A status a person set stays."""

    def merge(self, findings: Sequence[Finding]) -> Sequence[Finding]:
        """As `upsert`, of findings that may come late, twice and in any order: an episode's older state does not
        replace a newer one. Those that told something new, in their order."""

    def open_episodes(self) -> Sequence[Finding]:
        """Findings with ended_at None, to go on with after a restart."""

    def models_in_use(self) -> Collection[str]:
        """Named as evidence by findings that last, are open or investigated."""

    def find(self, query: AnomalyQuery) -> tuple[Sequence[Anomaly], str | None]:
        """Matching anomalies and the cursor of the next page, None at the end."""

    def get(self, anomaly_id: str) -> Anomaly:
        """Raises NotFound."""

    def earlier(self, detector: str, asset_ids: Sequence[str], before: int, limit: int) -> Sequence[Anomaly]:
        """Of these machines and one detector, begun before `before` (microseconds UTC), the newest first."""

    def open_counts(self) -> Mapping[str, int]:
        """Anomalies that no person has dealt with (status OPEN) by asset id; assets without one are absent."""

    def give_feedback(self, anomaly_id: str, feedback: Feedback | None, deed: Judged = None) -> Anomaly:
        """In place of what was said before; None takes it back. `wrong` closes the anomaly as a false positive, any
        other word or none opens one that was closed so. Raises NotFound."""

    def labelled(self, detector: str) -> Sequence[Anomaly]:
        """All with feedback, of one detector, oldest first."""

    def set_status(self, anomaly_id: str, status: AnomalyStatus, note: str, at: int, deed: Judged = None) -> Anomaly:
        """Move along open -> investigating -> resolved | false_positive (and back to open). `deed` goes into the audit
        log in the same transaction. Raises NotFound, or Conflict for a step the lifecycle does not have."""
