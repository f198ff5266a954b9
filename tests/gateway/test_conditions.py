"""The states a subject is in, and those that are over and not told yet."""

from forewarn.domain.conditions import ConditionCode, EndedCondition
from forewarn.gateway.conditions import Conditions, EndedConditions
from forewarn.kit.clock import MINUTE


class Clock:
    now = 1_000_000

    def __call__(self) -> int:
        return self.now


def test_one_lasting_state_at_a_time() -> None:
    held = Conditions("plc", Clock())
    held.enter(ConditionCode.NONSENSE, "a strange answer")
    held.enter(ConditionCode.UNREACHABLE, "no route", lasting=True)
    held.enter(ConditionCode.CERTIFICATE_EXPIRED, "renew it", lasting=True)
    assert {c.code for c in held.now()} == {ConditionCode.NONSENSE, ConditionCode.CERTIFICATE_EXPIRED}
    held.end_lasting()
    assert [c.code for c in held.now()] == [ConditionCode.NONSENSE]


def test_what_ended_is_told_until_it_is_heard() -> None:
    clock = Clock()
    held, ended = Conditions("plc", clock), EndedConditions(clock)
    held.enter(ConditionCode.NONSENSE, "a strange answer")
    assert ended.follow(held.now()) == ()
    (told,) = held.now()
    clock.now += 2 * MINUTE
    over = EndedCondition(told, clock.now)
    assert ended.follow(held.now()) == (over,)
    assert ended.follow(held.now()) == (over,)
    ended.told((over,))
    assert ended.follow(held.now()) == ()
