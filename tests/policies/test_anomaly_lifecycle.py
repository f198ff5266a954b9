"""The anomaly lifecycle: every pair of states."""

import itertools

import pytest

from forewarn.domain.errors import Conflict
from forewarn.domain.findings import AnomalyStatus
from forewarn.policies.anomaly_lifecycle import resolved_at

OPEN, INVESTIGATING, RESOLVED, FALSE = AnomalyStatus
ALLOWED = {
    (OPEN, INVESTIGATING),
    (OPEN, RESOLVED),
    (OPEN, FALSE),
    (INVESTIGATING, RESOLVED),
    (INVESTIGATING, FALSE),
    (INVESTIGATING, OPEN),
    (RESOLVED, OPEN),
    (FALSE, OPEN),
}


@pytest.mark.parametrize(("before", "after"), list(itertools.product(AnomalyStatus, repeat=2)))
def test_steps(before: AnomalyStatus, after: AnomalyStatus) -> None:
    if before is after:
        assert resolved_at(before, after, 9, 3) == 3
    elif (before, after) in ALLOWED:
        assert resolved_at(before, after, 9, 3) == (9 if after in (RESOLVED, FALSE) else None)
    else:
        with pytest.raises(Conflict, match=f"{before} cannot become {after}"):
            resolved_at(before, after, 9, 3)
