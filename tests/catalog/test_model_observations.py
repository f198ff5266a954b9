"""What was seen of models that are tried is kept once, by state; on SQLite and PostgreSQL."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from forewarn.catalog import Catalog, Seal, open_catalog
from forewarn.domain.model_delivery import LATENCY_CLASSES, Side, Tally
from forewarn.domain.rollouts import Observed, Rollout
from forewarn.policies.model_delivery import observed
from forewarn.policies.rollout import begin, decide
from tests.catalog.plants import plant
from tests.catalog.test_models import DEED, kept, moved

FULL = Tally("r1", 50, Side.CHALLENGER, 3, 10.5, 5, 4, 3, 2, 1, tuple(range(len(LATENCY_CLASSES) + 1)))


@pytest.fixture
def sealed(url: str, tmp_path: Path) -> Iterator[Catalog]:
    with open_catalog(url, lambda: 9_000, Seal(b"0" * 32), tmp_path / "models") as catalog:
        catalog.plant.apply(plant("p1", "p2"), ())
        versions = {"p1": kept(catalog.models, "p1").id}
        catalog.models.start(begin(Rollout("r1", versions, 40), 50), DEED)
        yield catalog


def test_what_is_told_again_replaces_what_was_told(sealed: Catalog) -> None:
    store = sealed.observations
    other = replace(FULL, side=Side.CHAMPION, latency=())
    store.keep("gw-a", [FULL, other])
    store.keep("gw-b", [FULL])
    store.keep("gw-a", [replace(FULL, rows=9), replace(FULL, run=4)])
    found = set(store.tallies(["r1"]))
    assert found == {FULL, replace(FULL, rows=9), replace(FULL, run=4), other}
    assert store.tallies(["r2"]) == []
    store.keep("gw-a", [])


def test_what_is_of_another_state_or_of_no_rollout_is_not_kept(sealed: Catalog) -> None:
    store = sealed.observations
    store.keep("gw-a", [FULL, replace(FULL, since=49), replace(FULL, rollout_id="nobody's")])
    assert list(store.tallies(["r1", "nobody's"])) == [FULL]
    seen = Observed(50, rows=10_000)
    day = 86_400_000_000
    sealed.models.change_rollout("r1", lambda r: decide(r, seen, None, 50 + day), moved)  # canary from now on
    store.keep("gw-a", [FULL])
    assert list(store.tallies(["r1"])) == []


def test_of_a_device_that_starts_all_the_time_the_newest_runs_are_kept(sealed: Catalog) -> None:
    store = sealed.observations
    store.keep("gw-b", [FULL])
    for run in range(1, 41):
        store.keep("gw-a", [replace(FULL, run=run), replace(FULL, run=run, side=Side.CHAMPION)])
    mine = [t for t in store.tallies(["r1"]) if t.side is Side.CHALLENGER]
    assert sorted(t.run for t in mine) == sorted([*range(9, 41), FULL.run])  # and what another gateway told
    assert len(store.tallies(["r1"])) == 32 + 32 + 1
    rollout = sealed.models.rollout("r1")
    seen = observed(rollout, Side.CHALLENGER, store.tallies(["r1"]))
    assert seen is not None
    assert (seen.rows, seen.calls) == (33 * FULL.rows, 33 * FULL.calls)


def test_a_clock_that_was_set_back_does_not_lose_what_is_counted_now(sealed: Catalog) -> None:
    store = sealed.observations
    store.keep("gw-a", [replace(FULL, run=1_000 + run) for run in range(50)])
    assert sorted(t.run for t in store.tallies(["r1"])) == list(range(1_018, 1_050))
    store.keep("gw-a", [replace(FULL, run=7, rows=77)])
    found = {t.run: t.rows for t in store.tallies(["r1"])}
    assert (len(found), found[7]) == (32, 77)
    assert 1_018 not in found
