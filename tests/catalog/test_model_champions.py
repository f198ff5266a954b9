"""Who holds what, in which order, when champions change, and what becomes of other rollouts; on SQLite and
PostgreSQL."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine, event, insert

from forewarn.catalog import Catalog, Seal, open_catalog
from forewarn.catalog.engine import Database, catalog_url, create_catalog_engine
from forewarn.catalog.model_tables import model_champions, model_versions
from forewarn.contracts.audit_log import AuditQuery
from forewarn.domain.errors import Conflict
from forewarn.domain.model_delivery import Side, Tally
from forewarn.domain.model_versions import ModelState
from forewarn.domain.rollouts import Candidate, Observed, Reign, RollbackReason, Rollout
from forewarn.kit.clock import DAY
from forewarn.policies.model_delivery import observed
from forewarn.policies.rollout import begin, decide, roll_back
from tests.catalog.plants import plant
from tests.catalog.test_models import CARD, DEED, NASHIK, PUNE, judged, kept, moved, started, through, two_places

__all__ = ["two_places"]

NOW = 1_000 * DAY
MANY = [f"m{i:03}" for i in range(300)]
WAY = (ModelState.SHADOW, ModelState.CANARY, ModelState.CHAMPION)


@pytest.fixture
def sealed(url: str, tmp_path: Path) -> Iterator[Catalog]:
    with open_catalog(url, lambda: NOW, Seal(b"0" * 32), tmp_path / "models") as catalog:
        catalog.plant.apply(plant("p1", "p2", "p3"), ())
        yield catalog


@pytest.fixture
def registry(sealed: Catalog) -> Any:
    return sealed.models


def back(registry: Any, rollout_id: str, by: Callable[[Rollout, Rollout], Any] = moved) -> None:
    registry.change_rollout(rollout_id, lambda r: roll_back(r, RollbackReason.BY_HAND, "too loud", NOW), by)


@contextmanager
def statements() -> Iterator[list[str]]:
    seen: list[str] = []

    def see(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(" ".join(statement.split()))

    event.listen(Engine, "before_cursor_execute", see)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", see)


def test_however_many_they_are_held_by_one_statement_in_one_order(sealed: Catalog, url: str) -> None:
    """Two statements, each in that order, are not in it together: what prunes meanwhile holds them crosswise."""
    sealed.plant.apply(plant(*MANY), ())
    ids = {(m, n): hashlib.sha256(f"{m}/{n}".encode()).hexdigest() for m in MANY for n in (0, 1)}
    usual = {"template": "", "detectors": ["t2"], "signed_by": "x", "size": 3, "state_since": 1, "reason": ""}
    usual |= {"state": "candidate", "card": msgspec.to_builtins(CARD)}
    rows = [{"version_id": v, "asset_id": m, "created_at": n, **usual} for (m, n), v in ids.items()]
    champions = [{"asset_id": m, "version_id": ids[m, 0], "since": 1, "former_id": None} for m in MANY]
    database = Database(create_catalog_engine(catalog_url(url)))
    with database.write() as connection:
        connection.execute(insert(model_versions), rows)
        connection.execute(insert(model_champions), champions)
    database.close()
    rollout = Rollout("r1", {m: ids[m, 1] for m in MANY}, 1, since=1)
    for act in (
        lambda: sealed.models.start(rollout, DEED),
        lambda: sealed.models.change_rollout("r1", lambda r: begin(r, 5), moved),
    ):
        with statements() as seen:
            act()
        versions = [s for s in seen if "ORDER BY model_versions.asset_id, model_versions.created_at DESC" in s]
        machines = [s for s in seen if s.endswith(("ORDER BY assets.asset_id", "ORDER BY assets.asset_id FOR UPDATE"))]
        assert (len(versions), len(machines)) == (1, 1)
        if "postgresql" in url:
            assert all(s.endswith("FOR UPDATE") for s in (*versions, *machines))


def test_who_loses_its_champion_to_another_rollout_begins_its_step_anew(sealed: Catalog) -> None:
    registry = sealed.models
    for name in ("p1", "p2", "p3"):
        registry.promote(kept(registry, name).id, judged)
    through(registry, started(registry, 1, "p1"), *WAY)
    near, far = started(registry, 2, "p1", "p2"), started(registry, 3, "p3")
    for each in (near, far):
        before = registry.change_rollout(each.id, lambda r: begin(r, 7_000), moved)
        told = Tally(each.id, before.since, Side.CHALLENGER, 1, 86_400.0, 9_000, 9_000, 50, 1_000, 900)
        sealed.observations.keep("gw", [told])
    near, far = registry.rollout("r2"), registry.rollout("r3")
    tallies = sealed.observations.tallies(["r2", "r3"])
    loud = observed(near, Side.CHALLENGER, tallies)
    assert loud is not None
    assert decide(near, loud, None, NOW).state is ModelState.ROLLED_BACK

    entries = len(sealed.audit.find(AuditQuery()))
    back(registry, "r1")
    anew = registry.rollout("r2")
    assert anew == replace(near, since=NOW)
    assert registry.rollout("r3") == far
    assert observed(anew, Side.CHALLENGER, tallies) is None
    assert decide(anew, loud, None, NOW + 9 * DAY) == anew
    sealed.observations.keep("gw", [t for t in tallies if t.rollout_id == "r2"])  # told late
    assert sealed.observations.tallies(["r2"]) == []
    assert [t.rollout_id for t in sealed.observations.tallies(["r3"])] == ["r3"]
    other, own, *rest = (entry.deed for entry in sealed.audit.find(AuditQuery()))
    assert len(rest) == entries
    assert (own.target, other.target, other.actor) == ("r1", "rollout r2", own.actor)
    assert other.why == "its champion changed with rollout r1 (rolled_back): this step begins anew"
    assert decide(anew, Observed(anew.since, rows=9_000), None, NOW + DAY).state is ModelState.CANARY


def test_it_begins_later_than_before_though_the_clock_went_back(sealed: Catalog) -> None:
    registry = sealed.models
    through(registry, started(registry, 1, "p1"), *WAY)
    started(registry, 2, "p1")
    late = registry.change_rollout("r2", lambda r: begin(r, NOW + DAY), moved)
    back(registry, "r1")
    assert registry.rollout("r2") == replace(late, since=NOW + DAY + 1)
    assert registry.champions() == {}


def test_a_champion_that_was_overtaken_takes_nothing_from_another_rollout(sealed: Catalog) -> None:
    registry = sealed.models
    through(registry, started(registry, 1, "p1"), *WAY)
    registry.promote(kept(registry, number=5).id, judged)
    going = started(registry, 2, "p1")
    back(registry, "r1")
    assert registry.rollout("r2") == going


def test_what_cannot_be_recorded_of_it_leaves_both_as_they_were(sealed: Catalog) -> None:
    registry = sealed.models
    through(registry, started(registry, 1, "p1"), *WAY)
    going = started(registry, 2, "p1")

    def fails(*_: Rollout) -> Any:
        raise RuntimeError("no deed")

    with pytest.raises(RuntimeError):
        back(registry, "r1", fails)
    assert registry.rollout("r2") == going
    assert registry.rollout("r1").state is ModelState.CHAMPION


def test_rollouts_are_held_in_one_order_before_one_is_changed(sealed: Catalog) -> None:
    registry = sealed.models
    through(registry, started(registry, 9, "p1"), *WAY)
    started(registry, 1, "p1")
    with statements() as seen:
        back(registry, "r9")
    held = [at for at, s in enumerate(seen) if "ORDER BY model_rollouts.rollout_id" in s]
    assert held[0] < [s.startswith("UPDATE model_rollouts") for s in seen].index(True)
    with statements() as seen:
        sealed.observations.keep("gw", [Tally(rollout_id, 1, Side.CHAMPION, 1) for rollout_id in ("r9", "r1")])
    assert any("ORDER BY model_rollouts.rollout_id" in s for s in seen)


def test_told_stepped_and_rolled_back_at_once(sealed: Catalog) -> None:
    registry = sealed.models
    for name in ("p1", "p2", "p3"):
        registry.promote(kept(registry, name).id, judged)
    through(registry, started(registry, 9, "p1", "p2"), *WAY)
    for number, name in ((1, "p1"), (2, "p2")):
        started(registry, number, name)
    ids = ["r1", "r2", "r9"]

    def tell() -> None:
        for _ in range(10):
            since = {rollout_id: registry.rollout(rollout_id).since for rollout_id in ids}
            told = [Tally(rollout_id, since[rollout_id], Side.CHAMPION, 1) for rollout_id in reversed(ids)]
            sealed.observations.keep("gw", told)

    def step() -> None:
        for rollout_id in ids[:2]:
            registry.change_rollout(rollout_id, lambda r: begin(r, NOW), moved)

    def prune() -> None:
        for _ in range(5):
            registry.prune(1, (), lambda _ids: DEED)

    with ThreadPoolExecutor(4) as pool:
        works = [pool.submit(work) for work in (tell, step, lambda: back(registry, "r9"), prune)]
        for work in works:
            work.result(60)
    assert {registry.rollout(rollout_id).state for rollout_id in ids[:2]} == {ModelState.SHADOW}
    assert {registry.rollout(rollout_id).since for rollout_id in ids[:2]} <= {NOW, NOW + 1}
    with suppress(Conflict):
        back(registry, "r9")
    assert registry.rollout("r9").state is ModelState.ROLLED_BACK


def test_the_candidates_that_may_be_tried_and_who_is_champion(sealed: Catalog) -> None:
    registry = sealed.models
    ids = [kept(registry, number=n).id for n in range(4)]
    other, third = kept(registry, "p2", 1).id, kept(registry, "p3", 1).id
    told = [Candidate("p1", ids[3], 103, ""), Candidate("p2", other, 101, ""), Candidate("p3", third, 101, "")]
    assert registry.candidates() == told
    assert registry.reigns() == {}
    registry.set_aside(other, "it is blind", DEED)
    registry.promote(ids[2], judged)
    assert registry.candidates() == [told[0], replace(told[1], reason="it is blind"), told[2]]
    registry.promote(ids[3], judged)
    assert [c.asset_id for c in registry.candidates()] == ["p2", "p3"], "older than the champion"
    assert registry.reigns() == {"p1": Reign(ids[3], NOW, ids[2])}
    registry.start(Rollout("r1", {"p3": third}, 1), DEED)
    newer = kept(registry, "p3", 2).id
    assert [c.asset_id for c in registry.candidates()] == ["p2"], "in a rollout"
    back(registry, "r1")
    assert [c.version for c in registry.candidates()] == [other, newer]
    kept(registry, "p2", 2)
    last = kept(registry, "p2", 3).id
    assert [c.version for c in registry.candidates()] == [last, newer]
    registry.prune(0, (), lambda _ids: DEED)
    assert registry.candidates() == [], "without their bytes"


def test_candidates_and_champions_of_a_part_of_the_plant(two_places: Any) -> None:
    new = kept(two_places, "p1", 8).id, kept(two_places, "q1", 8).id
    back(two_places, "r1")
    here, there = two_places.within(PUNE), two_places.within(NASHIK)
    assert ([c.version for c in here.candidates()], [c.version for c in there.candidates()]) == ([new[0]], [new[1]])
    assert (set(here.reigns()), set(there.reigns())) == ({"p1"}, {"q1"})
