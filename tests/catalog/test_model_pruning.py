"""Bytes of old models are let go of, never those that somebody may need; on SQLite and PostgreSQL."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from forewarn.catalog import Catalog, Seal, model_champions, open_catalog
from forewarn.catalog.model_files import ModelFiles
from forewarn.contracts.audit_log import AuditQuery
from forewarn.domain.access import Scope
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.errors import Conflict, NotAllowed
from forewarn.domain.model_versions import ModelState
from forewarn.domain.rollouts import Rollout
from forewarn.kit.clock import DAY
from tests.catalog.plants import plant
from tests.catalog.test_models import DEED, judged, kept, made

ROOT = Path(__file__).parents[2]
DAY_12 = 12 * 86_400_000_000


@pytest.fixture
def sealed(url: str, tmp_path: Path) -> Iterator[Catalog]:
    with open_catalog(url, lambda: DAY_12, Seal(b"0" * 32), tmp_path / "models") as catalog:
        catalog.plant.apply(plant("p1", "p2"), ())
        yield catalog


def gone(ids: Sequence[str]) -> Deed:
    return Deed(AuditAction.MODEL_CHANGED, "forewarn", "models", None, {"models": list(ids)})


def files(folder: Path) -> set[str]:
    return {file.name for file in (folder / "models").rglob("*") if file.is_file()}


def test_only_bytes_that_nobody_needs_go_and_cards_stay(sealed: Catalog, tmp_path: Path) -> None:
    registry = sealed.models
    ids = [kept(registry, number=n).id for n in range(9)]
    other = kept(registry, "p2").id
    for first in (ids[0], ids[1]):  # champion, and the one before it
        registry.promote(first, judged)
    registry.start(Rollout("r1", {"p1": ids[2]}, 1), DEED)
    before = sealed.revisions.read()["models"]
    assert set(registry.prune(3, {ids[3]}, gone)) == {ids[4], ids[5]}
    assert files(tmp_path) == {*ids, other} - {ids[4], ids[5]}
    assert sealed.revisions.read()["models"] == before + 1
    assert sealed.audit.find(AuditQuery())[0].deed.actor == "forewarn"
    assert registry.get(ids[4]).bytes_deleted_at == DAY_12
    assert registry.get(ids[4]).card == registry.get(ids[1]).card
    entries = len(sealed.audit.find(AuditQuery()))
    assert registry.prune(3, {ids[3]}, gone) == []
    assert len(sealed.audit.find(AuditQuery())) == entries
    with pytest.raises(NotAllowed):
        registry.within(Scope(("acme",))).prune(3, (), gone)


def test_without_bytes_it_can_neither_act_nor_be_tried_and_says_so(sealed: Catalog) -> None:
    registry = sealed.models
    ids = [kept(registry, number=n).id for n in range(3)]
    registry.prune(2, (), gone)
    for call in (
        lambda: registry.promote(ids[0], judged),
        lambda: registry.start(Rollout("r1", {"p1": ids[0]}, 1), DEED),
        lambda: registry.artifact(ids[0]),
    ):
        with pytest.raises(Conflict, match=r"were deleted on 1970-01-13.*FOREWARN_MODELS_KEPT"):
            call()


def test_what_is_learned_again_is_here_again(sealed: Catalog, tmp_path: Path) -> None:
    registry = sealed.models
    ids = [kept(registry, number=n).id for n in range(3)]
    registry.prune(2, (), gone)
    assert ids[0] not in files(tmp_path)
    again = registry.add(*made())
    assert (again.id, again.bytes_deleted_at) == (ids[0], None)
    assert registry.artifact(ids[0]) == made()[1]
    registry.prune(3, (), gone)
    assert files(tmp_path) == set(ids)


KILLED_AFTER_THE_MARK = """
import os, sys
from pathlib import Path
from forewarn.catalog import Seal, open_catalog
from forewarn.catalog.model_files import ModelFiles
from tests.catalog.test_model_pruning import DAY_12, gone
ModelFiles.delete = lambda self, version: os.kill(os.getpid(), 9)
with open_catalog(sys.argv[1], lambda: DAY_12, Seal(b"0" * 32), Path(sys.argv[2])) as catalog:
    catalog.models.prune(2, (), gone)
"""


def test_a_kill_between_mark_and_deletion_leaves_nothing_behind(sealed: Catalog, url: str, tmp_path: Path) -> None:
    ids = [kept(sealed.models, number=n).id for n in range(4)]
    arguments = [sys.executable, "-c", KILLED_AFTER_THE_MARK, url, str(tmp_path / "models")]
    assert subprocess.run(arguments, cwd=ROOT, check=False).returncode == -9
    assert files(tmp_path) == set(ids)
    with pytest.raises(Conflict, match="deleted"):
        sealed.models.artifact(ids[0])
    assert sealed.models.prune(2, (), gone) == []
    assert files(tmp_path) == set(ids[2:])


def test_what_went_long_ago_is_not_deleted_again_each_time(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deleted: list[str] = []
    clock = [DAY_12]
    delete = ModelFiles.delete

    def noted(self: ModelFiles, version_id: str) -> None:
        deleted.append(version_id)
        delete(self, version_id)

    monkeypatch.setattr(ModelFiles, "delete", noted)

    def pruned(catalog: Catalog, kept_: int) -> list[str]:
        deleted.clear()
        catalog.models.prune(kept_, (), gone)
        return sorted(deleted)

    with open_catalog(url, lambda: clock[0], Seal(b"0" * 32), tmp_path / "models") as catalog:
        catalog.plant.apply(plant("p1"), ())
        ids = [kept(catalog.models, number=n).id for n in range(4)]
        assert pruned(catalog, 3) == ids[:1]
        clock[0] += DAY // 2
        assert pruned(catalog, 3) == ids[:1], "a kill may have come between"
        clock[0] += DAY
        assert pruned(catalog, 3) == []
        assert pruned(catalog, 2) == [ids[1]]
    with open_catalog(url, lambda: clock[0] + 9 * DAY, Seal(b"0" * 32), tmp_path / "models") as catalog:
        assert pruned(catalog, 2) == sorted(ids[:2]), "a new process looks at all, once"
        assert pruned(catalog, 2) == []


@pytest.mark.parametrize("way", ["promote", "start"])
def test_what_is_chosen_while_it_is_pruned_keeps_its_bytes_or_is_refused(
    sealed: Catalog, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Pruning stands between its mark and its commit when the choice comes."""
    registry = sealed.models
    ids = [kept(registry, number=n).id for n in range(3)]
    marked, go = Event(), Event()

    def waits(ids_: Sequence[str]) -> Deed:
        marked.set()
        go.wait(20)
        return gone(ids_)

    def choose() -> None:
        if way == "promote":
            registry.promote(ids[0], judged)
        else:
            registry.start(Rollout("r1", {"p1": ids[0]}, 1), DEED)

    with ThreadPoolExecutor(2) as pool:
        pruning = pool.submit(registry.prune, 2, (), waits)
        assert marked.wait(20)
        choice = pool.submit(choose)
        with suppress(TimeoutError):
            choice.result(0.5)  # it waits for the mark
        go.set()
        assert pruning.result(20) == [ids[0]]
        with pytest.raises(Conflict, match="were deleted"):
            choice.result(20)
    assert registry.champions() == {}
    assert registry.rollouts() == []


@pytest.mark.parametrize("way", ["demote", "roll back"])
def test_who_gives_way_to_the_one_before_never_waits_crosswise_with_pruning(
    sealed: Catalog, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Pruning comes when the older of two versions was changed, and the newer is yet to be."""
    registry = sealed.models
    older, newer = kept(registry, number=0).id, kept(registry, number=1).id
    registry.promote(older, judged)
    registry.start(Rollout("r1", {"p1": newer}, 1), DEED)
    for state in (ModelState.SHADOW, ModelState.CANARY, ModelState.CHAMPION):
        registry.change_rollout("r1", partial(replace, state=state), lambda _before, _after: DEED)
    set_state, halfway, go = model_champions._set_state, Event(), Event()

    def pausing(*given: Any) -> None:
        set_state(*given)
        halfway.set()
        go.wait(20)

    def give_way() -> None:
        if way == "demote":
            registry.demote(newer, "late", judged)
        else:
            registry.change_rollout("r1", partial(replace, state=ModelState.ROLLED_BACK), lambda _b, _a: DEED)

    monkeypatch.setattr(model_champions, "_set_state", pausing)
    with ThreadPoolExecutor(2) as pool:
        giving = pool.submit(give_way)
        assert halfway.wait(20)
        pruning = pool.submit(registry.prune, 2, (), gone)
        with suppress(TimeoutError):
            pruning.result(0.5)  # it waits for the rows
        go.set()
        giving.result(20)
        assert pruning.result(20) == []
    assert registry.champions()["p1"].id == older


def test_the_newest_of_each_machine_and_a_candidate_set_aside(sealed: Catalog) -> None:
    registry = sealed.models
    ids = [kept(registry, number=n).id for n in range(2)]
    other = kept(registry, "p2", 5).id
    assert {a: v.id for a, v in registry.newest().items()} == {"p1": ids[1], "p2": other}
    aside = registry.set_aside(ids[1], "not rolled out: blind", DEED)
    assert (aside.state, aside.reason) == (ModelState.CANDIDATE, "not rolled out: blind")
    entries = len(sealed.audit.find(AuditQuery()))
    registry.set_aside(ids[1], "not rolled out: blind", DEED)
    assert len(sealed.audit.find(AuditQuery())) == entries
    registry.promote(ids[1], judged)
    assert registry.get(ids[1]).reason == ""
    with pytest.raises(Conflict, match="is no candidate: it is champion"):
        registry.set_aside(ids[1], "late", DEED)


def test_every_change_shows_in_one_number(sealed: Catalog) -> None:
    registry, seen = sealed.models, [0]

    def moves() -> bool:
        seen.append(sealed.revisions.read().get("models", 0))
        return seen[-1] != seen[-2]

    ids = [kept(registry, number=n).id for n in range(3)]
    assert moves()
    assert not moves()
    registry.promote(ids[0], judged)
    assert moves()
    registry.promote(ids[1], judged)
    assert moves()
    registry.demote(ids[1], "", judged)
    assert moves()
    registry.start(Rollout("r1", {"p1": ids[2]}, 1), DEED)
    assert moves()
    assert "feedback" not in sealed.revisions.read()
