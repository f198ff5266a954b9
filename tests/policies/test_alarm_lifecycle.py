"""The alarm machine: each arrow of its table, and laws that hold on any path."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from forewarn.domain.alarms import AlarmEvent, AlarmRule, AlarmState, AlarmStatus, Condition, Priority
from forewarn.domain.errors import Conflict, InvalidInput
from forewarn.policies import alarm_lifecycle as machine

RULE = AlarmRule("p1", "t.high", 1, "p1.t", Condition.ABOVE, 80.0, Priority.HIGH, "T high")
LATCHING = replace(RULE, latching=True)
NEW = AlarmStatus()


def test_raise_acknowledge_return_is_normal_again() -> None:
    status, events = machine.raised(RULE, NEW, 10, 85.0)
    assert (status.state, status.occurrences, status.value) == (AlarmState.UNACKNOWLEDGED, 1, 85.0)
    status, more = machine.acknowledge(RULE, status, 11, "Asha", "on my way")
    assert status.state is AlarmState.ACKNOWLEDGED
    status, last = machine.returned(RULE, status, 12)
    assert status.state is AlarmState.NORMAL
    assert [e.kind for e in (*events, *more, *last)] == ["raised", "acknowledged", "returned"]


def test_an_unseen_alarm_that_returned_waits_to_be_seen_and_may_come_again() -> None:
    status, _ = machine.raised(RULE, NEW, 10)
    status, _ = machine.returned(RULE, status, 20)
    assert status.state is AlarmState.RETURNED
    again, _ = machine.raised(RULE, status, 30)
    assert (again.state, again.occurrences) == (AlarmState.UNACKNOWLEDGED, 2)
    seen, _ = machine.acknowledge(RULE, status, 21, "Asha")
    assert seen.state is AlarmState.NORMAL


def test_a_latching_alarm_waits_for_acknowledge_and_reset() -> None:
    status, _ = machine.raised(LATCHING, NEW, 10)
    with pytest.raises(Conflict, match="still active"):
        machine.reset(LATCHING, status, 11, "Asha")
    status, _ = machine.returned(LATCHING, status, 20)
    with pytest.raises(Conflict, match="acknowledge it first"):
        machine.reset(LATCHING, status, 21, "Asha")
    status, _ = machine.acknowledge(LATCHING, status, 22, "Asha")
    assert (status.state, status.latched) == (AlarmState.RETURNED, True)
    status, _ = machine.reset(LATCHING, status, 23, "Asha")
    assert (status.state, status.latched) == (AlarmState.NORMAL, False)


def test_a_refusal_says_who_was_first() -> None:
    status, _ = machine.raised(RULE, NEW, 10)
    status, _ = machine.acknowledge(RULE, status, 11_000_000, "Asha")
    with pytest.raises(Conflict, match=r"p1/t\.high was already acknowledged by Asha at 1970-01-01T00:00:11Z"):
        machine.acknowledge(RULE, status, 12_000_000, "Ben")
    with pytest.raises(Conflict, match="nothing to acknowledge"):
        machine.acknowledge(RULE, NEW, 1, "Ben")


def test_a_shelved_alarm_is_tracked_and_comes_back_unacknowledged() -> None:
    status, _ = machine.raised(RULE, NEW, 10)
    status, _ = machine.acknowledge(RULE, status, 11, "Asha")
    status, _ = machine.shelve(RULE, status, 12, "Asha", until=100)
    with pytest.raises(Conflict, match=r"is shelved by Asha until .* unshelve it before it can be acknowledged"):
        machine.acknowledge(RULE, status, 13, "Ben")
    assert machine.expire(RULE, status, 99) == (status, [])
    back, events = machine.expire(RULE, status, 100)
    assert (back.state, back.acknowledged_by) == (AlarmState.UNACKNOWLEDGED, None)
    assert [e.kind for e in events] == ["expired"]
    calm, _ = machine.returned(RULE, status, 50)
    assert (calm.state, calm.active) == (AlarmState.SHELVED, False)
    assert machine.expire(RULE, calm, 100)[0].state is AlarmState.NORMAL


def test_what_a_person_suppressed_design_does_not_bring_back() -> None:
    status, _ = machine.raised(RULE, NEW, 10)
    by_hand, _ = machine.suppress(RULE, status, 11, "Asha")
    assert machine.unsuppress_by_design(RULE, by_hand, 12) == (by_hand, [])
    by_design, _ = machine.suppress_by_design(RULE, status, 11)
    assert by_design.state is AlarmState.SUPPRESSED
    assert machine.unsuppress_by_design(RULE, by_design, 12)[0].state is AlarmState.UNACKNOWLEDGED
    assert machine.suppress_by_design(RULE, NEW, 11) == (NEW, [])


def test_bad_requests_are_named() -> None:
    with pytest.raises(InvalidInput, match="in the past"):
        machine.shelve(RULE, NEW, 10, "Asha", until=10)
    with pytest.raises(InvalidInput, match="needs text"):
        machine.comment(RULE, NEW, 10, "Asha", "  ")


class AnyPath(RuleBasedStateMachine):
    """Conditions and people in any order, each told once or twice."""

    def __init__(self) -> None:
        super().__init__()
        self.at = 0
        self.rule = RULE
        self.status = NEW
        self.journal: list[AlarmEvent] = []
        self.truth = False
        self.refusal = "p1/t.high"

    def take(self, step: tuple[AlarmStatus, list[AlarmEvent]]) -> None:
        after, events = step
        changed = (after.state, after.active) != (self.status.state, self.status.active)
        assert not changed or len(events) == 1
        assert all(e.state is after.state and e.asset_id == "p1" for e in events)
        self.status = after
        self.journal.extend(events)

    @rule(latching=st.booleans())
    @precondition(lambda self: not self.journal)
    def choose_rule(self, latching: bool) -> None:
        self.rule = LATCHING if latching else RULE

    @rule(holds=st.booleans(), twice=st.booleans())
    def condition(self, holds: bool, twice: bool) -> None:
        self.at += 10
        move = machine.raised if holds else machine.returned
        self.take(move(self.rule, self.status, self.at))
        self.truth = holds
        if twice:
            assert move(self.rule, self.status, self.at) == (self.status, [])

    @rule(back=st.integers(1, 30))
    @precondition(lambda self: self.status.raised_at is not None)
    def replay(self, back: int) -> None:
        at = min(t for t in (self.status.raised_at, self.at) if t is not None)
        if not self.status.active:
            assert machine.raised(self.rule, self.status, at) == (self.status, [])
        assert machine.returned(self.rule, self.status, at - back) == (self.status, [])

    @rule(
        name=st.sampled_from(
            ["acknowledge", "reset", "unshelve", "suppress", "unsuppress", "out_of_service", "in_service"]
        )
    )
    def person(self, name: str) -> None:
        self.at += 1
        try:
            self.take(getattr(machine, name)(self.rule, self.status, self.at, "Asha"))
        except Conflict as refused:
            self.refusal = str(refused)

    @rule(minutes=st.integers(1, 50))
    def shelve(self, minutes: int) -> None:
        self.at += 1
        try:
            self.take(machine.shelve(self.rule, self.status, self.at, "Asha", self.at + minutes))
        except Conflict as refused:
            self.refusal = str(refused)

    @rule(later=st.integers(1, 60))
    def shelf_clock(self, later: int) -> None:
        self.at += later
        self.take(machine.expire(self.rule, self.status, self.at))

    @rule(stands=st.booleans())
    def design(self, stands: bool) -> None:
        self.at += 1
        move = machine.suppress_by_design if stands else machine.unsuppress_by_design
        self.take(move(self.rule, self.status, self.at))

    @invariant()
    def the_truth_is_tracked_whatever_people_do(self) -> None:
        assert self.status.active == self.truth

    @invariant()
    def a_refusal_names_the_alarm(self) -> None:
        assert "p1/t.high" in self.refusal

    @invariant()
    def an_active_alarm_is_never_normal_nor_returned(self) -> None:
        if self.status.active:
            assert self.status.state not in (AlarmState.NORMAL, AlarmState.RETURNED)

    @invariant()
    def a_calm_alarm_is_not_shown_as_active(self) -> None:
        if not self.status.active:
            assert self.status.state not in (AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED)

    @invariant()
    def a_latched_alarm_is_visible_until_reset(self) -> None:
        if self.status.latched:
            assert self.status.state is not AlarmState.NORMAL

    @invariant()
    def the_journal_tells_the_state_and_the_count(self) -> None:
        assert self.status.occurrences == sum(e.kind == "raised" for e in self.journal)
        assert not self.journal or self.journal[-1].state is self.status.state
        raised_and_returned = [e.kind for e in self.journal if e.kind in ("raised", "returned")]
        assert all(a != b for a, b in itertools.pairwise(raised_and_returned))

    @invariant()
    def a_shelf_has_an_end(self) -> None:
        assert (self.status.state is AlarmState.SHELVED) == (self.status.shelved_until is not None)


AnyPath.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestAnyPath = AnyPath.TestCase
