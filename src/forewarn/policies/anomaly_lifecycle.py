"""How an anomaly moves: open -> investigating -> resolved | false_positive, and back to open."""

from collections.abc import Mapping
from typing import Final

from forewarn.domain.errors import Conflict
from forewarn.domain.findings import AnomalyStatus, Feedback, Verdict

_CLOSED: Final = frozenset({AnomalyStatus.RESOLVED, AnomalyStatus.FALSE_POSITIVE})
STEPS: Final[Mapping[AnomalyStatus, frozenset[AnomalyStatus]]] = {
    AnomalyStatus.OPEN: frozenset({AnomalyStatus.INVESTIGATING, *_CLOSED}),
    AnomalyStatus.INVESTIGATING: frozenset({AnomalyStatus.OPEN, *_CLOSED}),
    AnomalyStatus.RESOLVED: frozenset({AnomalyStatus.OPEN}),
    AnomalyStatus.FALSE_POSITIVE: frozenset({AnomalyStatus.OPEN}),
}


def after_feedback(status: AnomalyStatus, feedback: Feedback | None) -> AnomalyStatus:
    """Where people's word on it leads: a wrong one is a false positive, and only a wrong one."""
    if feedback is not None and feedback.verdict is Verdict.WRONG:
        return AnomalyStatus.FALSE_POSITIVE if AnomalyStatus.FALSE_POSITIVE in STEPS[status] else status
    return AnomalyStatus.OPEN if status is AnomalyStatus.FALSE_POSITIVE else status


def resolved_at(before: AnomalyStatus, after: AnomalyStatus, at: int, earlier: int | None) -> int | None:
    """When the anomaly counts as closed after the step, None while it is not. Staying is allowed and keeps
    the time. Raises Conflict for a step the lifecycle does not have."""
    if after is before:
        return earlier
    if after not in STEPS[before]:
        allowed = ", ".join(sorted(STEPS[before]))
        raise Conflict(f"an anomaly that is {before} cannot become {after}; from here it can become {allowed}")
    return at if after in _CLOSED else None
