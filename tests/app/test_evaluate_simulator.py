"""The simulator's board: who counts as found, as false, and as named."""

from dataclasses import replace

import numpy as np
import pytest

from forewarn.app.evaluate_simulator import DEFAULT, false_alarms, leads, simulator
from forewarn.app.simulated_naming import naming
from forewarn.app.simulated_site import LivedPlant, Stretch
from forewarn.app.trained_plugins import members
from forewarn.domain.assets import Asset, Plant
from forewarn.domain.evidence import Evidence, Hypothesis
from forewarn.domain.findings import ENSEMBLE, Finding
from forewarn.jobs.evaluate.board import Kind
from forewarn.kit.clock import DAY, HOUR
from forewarn.policies.severity import severity_of
from forewarn.simulator.episodes import Episode


def lived(*episodes: Episode) -> LivedPlant:
    assets = (Asset("p1", "P1", "centrifugal_pump"), Asset("p2", "P2", "centrifugal_pump"))
    none = np.zeros((0, 0))
    plant = Plant(assets=assets, signals=())
    return LivedPlant(np.zeros(0, np.int64), none, none.astype(np.uint32), (), plant, episodes, DAY, 10 * DAY)


def fault(kind: str, start: int, fails: int | None = None, ends: int | None = None, asset: str = "p1") -> Episode:
    return Episode(asset, kind, "", 0.5, start, functional_failure_at=fails, ended_at=ends)


def found(at: int, *hypotheses: str, ratio: float = 1.5, asset: str = "p1") -> Finding:
    faults = tuple(Hypothesis(name, 0.9 - 0.1 * i, "") for i, name in enumerate(hypotheses))
    evidence = Evidence(ratio, 1.0, 0, 1, at - HOUR, at, hypotheses=faults)
    return Finding(
        signal_key=1,
        signal_id=f"{asset}.v",
        asset_id=asset,
        detector=ENSEMBLE,
        anomaly_type="multivariate",
        severity=severity_of(0.7),
        score=0.7,
        value=1.0,
        expected=None,
        reason="",
        started_at=at,
        last_at=at,
        evidence=evidence,
    )


def test_an_alarm_before_the_fault_does_not_find_it_and_the_first_one_in_it_says_how_early() -> None:
    life = lived(fault("imbalance", 2 * DAY, fails=4 * DAY, ends=5 * DAY))
    assert leads(life, {"p1": [DAY + HOUR]})[0][1] is None
    assert leads(life, {"p1": [DAY + HOUR, 3 * DAY, 3 * DAY + HOUR]})[0][1] == 24.0
    assert leads(life, {"p1": [4 * DAY + 1], "p2": [3 * DAY]})[0][1] is None  # after it failed; of another machine


def test_wear_that_shows_nothing_before_the_end_is_not_asked_for() -> None:
    worn = replace(fault("bearing_wear", 9 * DAY), natural=True)
    assert leads(lived(worn), {}) == []


def test_every_alarm_without_a_fault_is_false_save_for_six_hours_after_one() -> None:
    life = lived(fault("imbalance", 2 * DAY, ends=3 * DAY))
    told = {"p1": [DAY, 2 * DAY, 3 * DAY + 5 * HOUR, 3 * DAY + 7 * HOUR], "p2": [2 * DAY, 2 * DAY + 1]}
    assert false_alarms(life, told) == 4


def test_a_fault_is_named_by_the_first_word_and_by_the_worst() -> None:
    life = lived(fault("imbalance", 2 * DAY, ends=4 * DAY), fault("cavitation", 5 * DAY, ends=6 * DAY, asset="p2"))
    early = found(2 * DAY + HOUR, "misalignment", "imbalance"), found(2 * DAY + HOUR, "misalignment", ratio=2.0)
    late = found(3 * DAY, "imbalance", ratio=3.0), found(3 * DAY, "imbalance", ratio=9.0)
    before = found(DAY, "imbalance", ratio=99.0), found(DAY, "imbalance", ratio=99.0)
    mute = found(5 * DAY + HOUR, asset="p2"), found(5 * DAY + HOUR, asset="p2")
    rows = {row.name: row for row in naming([life], [[before, early, late, mute]])}
    assert rows["imbalance"].figures == (1, 0.0, 100.0, 100.0, 0.0)
    assert rows["cavitation"].figures == (1, 0.0, 0.0, 0.0, 100.0)
    assert rows["all"].figures == (2, 0.0, 50.0, 50.0, 50.0)
    blind = rows["always the commonest of the template"]
    assert blind.kind is Kind.BLIND
    assert blind.figures == (2, 50.0, 100.0, 50.0, 0.0)


def test_what_no_model_found_is_not_asked_for_a_name() -> None:
    rows = naming([lived(fault("imbalance", 2 * DAY, ends=4 * DAY))], [[]])
    assert [row.name for row in rows] == ["all", "always the commonest of the template"]
    assert rows[0].figures[0] == 0


@pytest.mark.parametrize("seed", [4])
def test_a_short_life_is_met_by_the_real_stages(seed: int) -> None:
    shares: list[float] = []
    section = simulator(
        members(("robust_z", "pca")),
        lambda done, of: shares.append(done / of),
        Stretch(first_days=4, days=4, step_s=300),
        (seed,),
    )
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    tables = {table.title: table for table in section.tables}
    whole = {row.name: row.figures for row in tables["All seeds"].rows}[DEFAULT]
    faults, of_them = whole[0], whole[1]
    by_fault = [row.figures for row in tables["By fault, default"].rows]
    assert faults == sum(figures[0] or 0 for figures in by_fault) > 3
    assert of_them == sum(figures[1] or 0 for figures in by_fault) > 0
    named = {row.name: row.figures for row in tables["Root cause, default"].rows}["all"]
    assert 0 < (named[0] or 0) <= (faults or 0) + 5
