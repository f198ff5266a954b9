"""Thresholds follow what people say of findings, within what the budget allows."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewarn.contracts.anomaly_store import Anomaly
from forewarn.domain.findings import ENSEMBLE, AnomalyStatus, Feedback, Finding, Severity, Verdict
from forewarn.learning.thresholds import moved
from forewarn.policies import alarm_budget
from forewarn.policies.alarm_budget import AlarmBudget
from tests.catalog.test_feedback import EVIDENCE
from tests.learning.test_fleet import MODELS
from tests.learning.test_machine_artifact import TWO_SPEEDS

BUDGET = AlarmBudget()
MODEL = MODELS[0]


def said(verdict: Verdict, at: int, peak: float, regime: int = 0) -> Anomaly:
    """peak: in units of the healthy quantile."""
    evidence = replace(EVIDENCE, ratio=peak / EVIDENCE.threshold, regime=regime)
    found = Finding(
        *(1, "a.flow", "a", ENSEMBLE, "multivariate", Severity.LOW, 0.6, 1.0, 2.0, "odd"),
        started_at=at,
        last_at=at + 9,
        evidence=evidence,
    )
    return Anomaly(str(at), found, AnomalyStatus.OPEN, at, feedback=Feedback(verdict, "", "ann", at))


def threshold(*labelled: Anomaly) -> float:
    model, told = moved(MODEL, labelled, BUDGET)
    assert model.ensembles[0] is not None
    assert model.ensembles[0].threshold == told[0].now
    return told[0].now


def test_without_a_word_the_threshold_is_what_healthy_rows_say() -> None:
    _, told = moved(MODEL, [], BUDGET)
    assert told[0].now == told[0].learned == threshold()
    assert told[0].labels == 0


def test_a_wrong_finding_does_not_come_again_and_a_confirmed_one_comes_sooner() -> None:
    before = threshold()
    peak = before * 1.05
    assert threshold(said(Verdict.WRONG, 1, peak)) > peak
    assert threshold(said(Verdict.CONFIRMED, 1, peak)) < before
    assert threshold(said(Verdict.PARTLY, 1, peak)) == before


def test_fewer_alarms_are_expected_of_a_higher_threshold() -> None:
    _, before = moved(MODEL, [], BUDGET)
    _, after = moved(MODEL, [said(Verdict.WRONG, 1, before[0].now * 1.2)], BUDGET)
    assert after[0].alarms_per_week < before[0].alarms_per_week
    assert after[0].labels == 1


@given(st.lists(st.tuples(st.sampled_from(Verdict), st.floats(1.0, 50.0)), max_size=30), st.randoms())
def test_however_often_people_speak_it_stays_within_the_budget_s_bounds(words, random) -> None:
    labelled = [said(verdict, at, peak) for at, (verdict, peak) in enumerate(words)]
    loose, tight = (replace(BUDGET, per_week=BUDGET.per_week * times) for times in (4.0, 0.25))
    now = threshold(*labelled)
    assert moved(MODEL, [], loose)[1][0].now - 1e-9 <= now <= moved(MODEL, [], tight)[1][0].now + 1e-9
    random.shuffle(labelled)
    assert threshold(*labelled) == pytest.approx(now)  # the order of saying counts, not of telling


@given(
    st.lists(st.tuples(st.sampled_from(Verdict), st.floats(1.0, 50.0), st.integers(0, 1)), max_size=130), st.randoms()
)
def test_each_word_s_step_begins_where_the_one_before_ended(words, random) -> None:
    labelled = [said(verdict, at, peak, regime) for at, (verdict, peak, regime) in enumerate(words)]
    random.shuffle(labelled)
    for told in moved(TWO_SPEEDS, labelled, BUDGET)[1]:
        mine = [(at, verdict) for at, (verdict, _, regime) in enumerate(words) if regime == told.regime]
        assert told.labels == len(mine)
        assert [(s.at, s.anomaly_id, s.verdict, s.by) for s in told.steps] == [
            (at, str(at), verdict, "ann") for at, verdict in mine[-100:]
        ]
        assert [s.after for s in told.steps[:-1]] == [s.before for s in told.steps[1:]]
        assert told.now == (told.steps[-1].after if told.steps else told.learned)
        assert len(mine) > 100 or not told.steps or told.steps[0].before == told.learned
        for step in told.steps:
            assert step.verdict is Verdict.WRONG or step.after <= step.before + 1e-12
            assert step.verdict is Verdict.CONFIRMED or step.after >= step.before - 1e-12


def test_ten_thousand_words_ask_for_the_budget_s_bounds_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    whole = alarm_budget._allowed
    monkeypatch.setattr(alarm_budget, "_allowed", lambda *of: (asked.append(of), whole(*of))[1])
    _, (told, *_) = moved(MODEL, [said(Verdict.WRONG, at, 2.0) for at in range(10_000)], BUDGET)
    assert (told.labels, len(told.steps), told.steps[0].at) == (10_000, 100, 9_900)
    assert len(asked) == 3 * len([e for e in MODEL.ensembles if e])


def test_a_word_on_one_way_of_running_leaves_the_others() -> None:
    _, before = moved(TWO_SPEEDS, [], BUDGET)
    _, after = moved(TWO_SPEEDS, [said(Verdict.WRONG, 1, before[1].now * 1.2, regime=1)], BUDGET)
    assert after[0] == before[0]
    assert after[1].now > before[1].now
