"""What the times of readings say of a device's clock."""

import pytest

from forewarn.domain.conditions import ConditionCode
from forewarn.gateway.health import SourceHealth
from forewarn.kit.clock import HOUR, SECOND


class Source:
    """One that tells a reading a second, with a clock that is `off`."""

    def __init__(self) -> None:
        self.now, self.off = 1_800_000_000 * SECOND, 0
        self.health = SourceHealth("plc", "opcua", 30 * SECOND, lambda: self.now)
        self.health.connected(again=False)

    def passes(self, seconds: int) -> list[int | None]:
        """Since when its clock is told to be wrong, a second each."""
        since: list[int | None] = []
        for _ in range(seconds):
            self.now += SECOND
            self.health.took(1, self.now + self.off)
            wrong = [c for c in self.health.conditions() if c.code is ConditionCode.CLOCK_WRONG]
            since.append(wrong[0].since if wrong else None)
        return since


@pytest.mark.parametrize("off", [-HOUR, HOUR])
def test_a_wrong_clock_is_one_state_for_as_long_as_it_is_wrong(off: int) -> None:
    source = Source()
    assert set(source.passes(100)) == {None}
    source.off = off
    source.passes(130)
    while_wrong = source.passes(300)
    assert None not in while_wrong
    assert len(set(while_wrong)) == 1
    source.off = 0
    assert source.passes(130)[-1] is None


def test_old_values_that_are_told_anew_are_no_wrong_clock() -> None:
    source = Source()
    source.passes(10)
    for _ in range(300):
        source.now += SECOND
        source.health.took(1_000, source.now - HOUR)
        source.health.took(1, source.now)
        assert source.health.conditions() == []
