"""Trained models are kept whole, one of them is champion of a machine, and rollouts survive whatever stops them; on
SQLite and PostgreSQL."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select

from forewarn.catalog import Catalog, Seal, open_catalog
from forewarn.catalog.engine import Database, catalog_url, create_catalog_engine
from forewarn.catalog.model_files import ModelFiles
from forewarn.catalog.model_tables import model_champions, model_rollout_members, model_rollouts, model_versions
from forewarn.contracts.audit_log import AuditQuery
from forewarn.contracts.model_registry import ModelRegistry
from forewarn.domain.access import Scope
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.errors import (
    ArtifactRefused,
    ConfigurationError,
    Conflict,
    InvalidInput,
    NotAllowed,
    NotFound,
    StorageDamaged,
    StorageFailed,
)
from forewarn.domain.model_versions import ModelCard, ModelState, ModelVersion, Span, TrainingCost
from forewarn.domain.rollouts import RollbackReason, Rollout
from forewarn.gateway.signing import Signer
from forewarn.policies.model_artifact import pack
from forewarn.policies.model_signature import content_id, sign
from forewarn.policies.rollout import begin, roll_back
from tests.catalog.plants import SOURCE, asset, plant

ROOT = Path(__file__).parents[2]
SITE, NEW_SITE = (Signer(Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32)) for n in (7, 8))
DEED = Deed(AuditAction.MODEL_CHANGED, "anna", "a model")
CARD = ModelCard(
    trained=(Span(10, 20), Span(30, 40)),
    rows=400,
    signals=("p1.vibration", "p1.speed"),
    metrics={"mcc": 0.68, "false_alarms_per_week": 0.5},
    baseline={"mcc": 0.5},
    baseline_of="alarm from second 150",
    cost=TrainingCost(0.4, 0.5, 90_000_000),
    settings={"folds": 5, "detectors": {"t2": {"kept": [0.9, None]}}},
    seed=3,
    software="1.0",
    notes=("speed never changed",),
)


def made(asset_id: str = "p1", number: int = 0, signer: Signer = SITE) -> tuple[ModelVersion, bytes]:
    payload = pack({"asset": asset_id, "number": number}, {"mean": np.arange(3.0)})
    signed = sign(payload, signer)
    version = ModelVersion(
        content_id(payload), asset_id, "centrifugal_pump", ("robust_z", "t2"), 100 + number, CARD, "", 0
    )
    return version, signed


def kept(registry: ModelRegistry, asset_id: str = "p1", number: int = 0) -> ModelVersion:
    return registry.add(*made(asset_id, number))


def judged(before: ModelVersion | None, after: ModelVersion | None) -> Deed:
    told = {"id": None if before is None else before.id}, {"id": None if after is None else after.id}
    return Deed(AuditAction.MODEL_CHANGED, "anna", "champion", *told)


def moved(before: Rollout, after: Rollout) -> Deed:
    told = {"state": before.state.value}, {"state": after.state.value}
    return Deed(AuditAction.MODEL_CHANGED, "rollout", after.id, *told)


@pytest.fixture
def sealed(url: str, tmp_path: Path) -> Iterator[Catalog]:
    ticks = iter(range(9_000, 1_000_000))
    with open_catalog(url, lambda: next(ticks), Seal(b"0" * 32), tmp_path / "models") as catalog:
        catalog.plant.apply(plant("p1", "p2", "p3"), ())
        yield catalog


@pytest.fixture
def registry(sealed: Catalog) -> ModelRegistry:
    return sealed.models


def deeds(catalog: Catalog) -> int:
    return len(catalog.audit.find(AuditQuery()))


def state(registry: ModelRegistry, version: ModelVersion) -> ModelState:
    return registry.get(version.id).state


def test_a_version_comes_back_as_it_was_kept(sealed: Catalog, registry: ModelRegistry) -> None:
    version, signed = made()
    stored = registry.add(version, signed, DEED)
    told = {"signed_by": SITE.public_key, "size": len(signed), "state_since": version.created_at}
    assert stored == replace(version, **told)  # type: ignore[arg-type]
    assert registry.get(version.id) == stored
    assert registry.artifact(version.id) == signed
    assert (list(registry.find()), deeds(sealed)) == ([stored], 1)
    assert registry.champions() == {}


def test_the_same_content_again_changes_nothing_but_mends_its_file(
    sealed: Catalog, registry: ModelRegistry, tmp_path: Path
) -> None:
    version, signed = made()
    stored = registry.add(version, signed, DEED)
    registry.promote(version.id, judged)
    file = tmp_path / "models" / version.id[:2] / version.id
    for harm in (signed[:-1], b"", signed[:-1] + bytes([signed[-1] ^ 1]), None):
        file.unlink() if harm is None else file.write_bytes(harm)
        with pytest.raises(NotFound if harm is None else StorageDamaged, match="train"):
            registry.artifact(version.id)
        again = registry.add(replace(version, created_at=999, template="other"), signed, DEED)
        assert (again.state, again.created_at, again.template) == (ModelState.CHAMPION, 100, stored.template)
        assert registry.artifact(version.id) == signed
    assert deeds(sealed) == 2
    renewed = registry.add(*made(signer=NEW_SITE))
    assert (renewed.id, renewed.signed_by) == (version.id, NEW_SITE.public_key)
    assert registry.artifact(version.id) == made(signer=NEW_SITE)[1]


def test_what_cannot_be_kept(registry: ModelRegistry) -> None:
    version, signed = made()
    other, other_signed = made("p2")
    with pytest.raises(ArtifactRefused, match="not the bytes"):
        registry.add(version, other_signed)
    with pytest.raises(ArtifactRefused):
        registry.add(version, signed[:-1])
    with pytest.raises(NotFound, match="no asset 'nobody'"):
        registry.add(replace(version, asset_id="nobody"), signed)
    with pytest.raises(InvalidInput, match="JSON"):
        registry.add(replace(version, card=replace(CARD, metrics={"mcc": float("nan")})), signed)
    registry.add(other, other_signed)
    with pytest.raises(Conflict, match="one of p2"):
        registry.add(replace(other, asset_id="p1"), other_signed)
    for wrong in (version.id, "../../etc/passwd", "A" * 64, ""):
        for ask in (registry.get, registry.artifact):
            with pytest.raises(NotFound):
                ask(wrong)


def test_newest_first_by_machine_and_state(registry: ModelRegistry) -> None:
    ones = [kept(registry, "p1", n) for n in range(3)]
    other = kept(registry, "p2", 5)
    registry.promote(ones[1].id, judged)
    assert [v.id for v in registry.find()] == [v.id for v in (other, *reversed(ones))]
    assert [v.id for v in registry.find("p1", [ModelState.CHAMPION])] == [ones[1].id]
    assert [v.id for v in registry.find(states=[ModelState.CANDIDATE], limit=2)] == [other.id, ones[2].id]
    assert list(registry.find(states=[])) == []


def test_one_champion_and_the_way_back(sealed: Catalog, registry: ModelRegistry) -> None:
    first, second = kept(registry, number=1), kept(registry, number=2)
    registry.promote(first.id, judged)
    registry.promote(second.id, judged)
    assert registry.champions() == {"p1": registry.get(second.id)}
    assert (state(registry, first), state(registry, second)) == (ModelState.RETIRED, ModelState.CHAMPION)
    for wrong in (lambda: registry.promote(second.id, judged), lambda: registry.demote(first.id, "", judged)):
        with pytest.raises(Conflict):
            wrong()
    assert registry.demote(second.id, "noisy", judged) == registry.get(first.id)
    assert registry.champions() == {"p1": registry.get(first.id)}
    assert (registry.get(second.id).state, registry.get(second.id).reason) == (ModelState.ROLLED_BACK, "noisy")
    assert registry.demote(first.id, "noisy too", judged) is None
    assert registry.champions() == {}
    told = [(e.deed.before, e.deed.after) for e in reversed(sealed.audit.find(AuditQuery()))]
    a, b, none = {"id": first.id}, {"id": second.id}, {"id": None}
    assert told == [(none, a), (a, b), (b, a), (a, none)]
    assert sealed.audit.verify().faults == ()


def test_what_cannot_be_recorded_is_not_done(registry: ModelRegistry, url: str, tmp_path: Path) -> None:
    version = kept(registry)
    with (
        open_catalog(url, models=tmp_path / "models") as unsealed,
        pytest.raises(ConfigurationError, match="audit log's key"),
    ):
        unsealed.models.promote(version.id, judged)
    assert registry.champions() == {}
    assert state(registry, version) is ModelState.CANDIDATE


def started(registry: ModelRegistry, number: int, *asset_ids: str) -> Rollout:
    versions = {asset_id: kept(registry, asset_id, number).id for asset_id in asset_ids}
    rollout = Rollout(f"r{number}", versions, 1_000 + number, since=1_000 + number, share=0.5)
    registry.start(rollout, DEED)
    return rollout


def to(into: ModelState) -> Callable[[Rollout], Rollout]:
    return lambda at: replace(at, state=into, since=at.since + 1)


def through(registry: ModelRegistry, rollout: Rollout, *states: ModelState) -> Rollout:
    for each in states:
        rollout = registry.change_rollout(rollout.id, to(each), moved)
    return rollout


def test_versions_and_champions_follow_their_rollout_and_come_back(sealed: Catalog, registry: ModelRegistry) -> None:
    old = {name: kept(registry, name, 0) for name in ("p1", "p2")}
    for version in old.values():
        registry.promote(version.id, judged)
    rollout = started(registry, 1, "p1", "p2", "p3")
    assert registry.rollout("r1") == rollout
    for each in (ModelState.SHADOW, ModelState.CANARY):
        through(registry, rollout, each)
        assert {state(registry, registry.get(v)) for v in rollout.versions.values()} == {each}
        assert {a: v.id for a, v in registry.champions().items()} == {a: v.id for a, v in old.items()}
    through(registry, rollout, ModelState.CHAMPION)
    assert {a: v.id for a, v in registry.champions().items()} == rollout.versions
    assert {state(registry, v) for v in old.values()} == {ModelState.RETIRED}
    before = deeds(sealed)
    back = registry.change_rollout("r1", lambda r: roll_back(r, RollbackReason.ALARM_RATE, "9 alarms", 5_000), moved)
    assert (back.state, back.reason, back.note) == (ModelState.ROLLED_BACK, RollbackReason.ALARM_RATE, "9 alarms")
    assert registry.rollout("r1") == back
    assert {a: v.id for a, v in registry.champions().items()} == {a: v.id for a, v in old.items()}
    assert registry.get(rollout.versions["p3"]).reason == "9 alarms"
    assert deeds(sealed) == before + 1


def test_a_change_that_changes_nothing_leaves_no_deed_and_one_that_fails_nothing_at_all(
    sealed: Catalog, registry: ModelRegistry
) -> None:
    rollout = started(registry, 1, "p1")
    before = deeds(sealed)
    assert registry.change_rollout("r1", lambda r: r, moved) == rollout
    with pytest.raises(Conflict, match="candidate does not become champion"):
        through(registry, rollout, ModelState.CHAMPION)

    def no_deed(*_: Rollout) -> Deed:
        raise RuntimeError("no deed")

    with pytest.raises(RuntimeError):
        registry.change_rollout("r1", lambda r: begin(r, 5_000), no_deed)
    assert registry.rollout("r1") == rollout
    assert (deeds(sealed), state(registry, registry.get(rollout.versions["p1"]))) == (before, ModelState.CANDIDATE)
    with pytest.raises(NotFound):
        registry.change_rollout("nobody", lambda r: r, moved)


def test_a_machine_is_in_one_rollout_at_a_time(registry: ModelRegistry) -> None:
    rollout, new = started(registry, 1, "p1", "p2"), kept(registry, "p2", 9)
    second = Rollout("r2", {"p2": new.id}, 2_000, since=2_000)
    for wrong, said in (
        (lambda: registry.start(second, DEED), "under way"),
        (lambda: registry.start(replace(rollout, versions={"p3": new.id}, id="r3"), DEED), "no model"),
        (lambda: registry.start(replace(second, versions={"p2": "0" * 64}), DEED), "no model"),
        (lambda: registry.promote(new.id, judged), "under way"),
    ):
        with pytest.raises((Conflict, NotFound), match=said):
            wrong()
    through(registry, rollout, ModelState.SHADOW, ModelState.CANARY, ModelState.CHAMPION)
    with pytest.raises(Conflict, match="already"):
        registry.start(replace(second, id="r1"), DEED)
    registry.start(second, DEED)
    through(registry, second, ModelState.SHADOW, ModelState.CANARY, ModelState.CHAMPION)
    # The older one is called back late: whose place was taken since is not the champion's again.
    registry.change_rollout("r1", lambda r: roll_back(r, RollbackReason.BY_HAND, "", 9_000), moved)
    assert {a: v.id for a, v in registry.champions().items()} == {"p2": new.id}
    assert [r.id for r in registry.rollouts()] == ["r2", "r1"]
    assert [r.id for r in registry.rollouts([ModelState.CHAMPION])] == ["r2"]


def test_many_at_once_leave_one_champion_and_one_rollout(registry: ModelRegistry) -> None:
    versions = [kept(registry, "p1", n) for n in range(6)]

    def promote(version: ModelVersion) -> None:
        registry.promote(version.id, judged)

    def start(version: ModelVersion) -> bool:
        with suppress(Conflict):
            registry.start(Rollout(version.id[:8], {"p1": version.id}, 1, since=1), DEED)
            return True
        return False

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(promote, versions))
        champions = registry.find("p1", [ModelState.CHAMPION])
        assert [v.id for v in champions] == [registry.champions()["p1"].id]
        assert len(registry.find("p1", [ModelState.RETIRED])) == 5
        assert sum(pool.map(start, versions)) == 1
    assert len(registry.rollouts()) == 1


PUNE, NASHIK = Scope(("acme/pune",)), Scope(("acme/nashik",))


@pytest.fixture
def two_places(sealed: Catalog, registry: ModelRegistry) -> ModelRegistry:
    away = asset("q1", path=("acme", "nashik", "water", "line-1"))
    both = plant("p1", "p2")
    sealed.plant.apply(replace(both, assets=(*both.assets, away), sources=(SOURCE,)), ())
    for name in ("p1", "q1"):
        registry.promote(kept(registry, name).id, judged)
    started(registry, 1, "p1", "q1")
    started(registry, 2, "p2")
    return registry


def test_what_lies_elsewhere_does_not_exist(two_places: ModelRegistry) -> None:
    here, there, nowhere = (two_places.within(s) for s in (PUNE, NASHIK, Scope(())))
    theirs = two_places.champions()["q1"]
    assert {v.asset_id for v in here.find()} == {"p1", "p2"}
    assert (set(here.champions()), set(there.champions())) == ({"p1"}, {"q1"})
    assert ([r.id for r in here.rollouts()], [r.id for r in there.rollouts()]) == (["r2", "r1"], ["r1"])
    assert set(there.rollout("r1").versions) == {"q1"}
    assert (list(nowhere.find()), dict(nowhere.champions()), list(nowhere.rollouts())) == ([], {}, [])
    for wrong in (
        lambda: here.get(theirs.id),
        lambda: here.artifact(theirs.id),
        lambda: here.promote(theirs.id, judged),
        lambda: here.demote(theirs.id, "", judged),
        lambda: here.add(*made("q1", 3)),
        lambda: there.rollout("r2"),
    ):
        with pytest.raises(NotFound):
            wrong()
    for wrong in (
        lambda: here.start(Rollout("r3", {}, 1), DEED),
        lambda: here.change_rollout("r2", lambda r: begin(r, 1), moved),
    ):
        with pytest.raises(NotAllowed):
            wrong()


def test_a_forgotten_where_leaks_nothing(two_places: ModelRegistry, sealed: Catalog, url: str) -> None:
    if sealed.backend == "sqlite":
        assert not sealed.second_wall  # it has no such thing
        return
    database = Database(create_catalog_engine(catalog_url(url)))
    for scope, assets, rollouts in (
        (PUNE, {"p1", "p2"}, {"r1", "r2"}),
        (NASHIK, {"q1"}, {"r1"}),
        (Scope(()), set(), set()),
    ):
        with database.within(scope).read() as connection:
            for table in (model_versions, model_rollout_members):
                assert {row.asset_id for row in connection.execute(select(table))} == assets
            assert {row.asset_id for row in connection.execute(select(model_champions))} == assets - {"p2"}
            assert {row.rollout_id for row in connection.execute(select(model_rollouts))} == rollouts
    database.close()


_WRITER = """
import sys
from pathlib import Path
from forewarn.catalog.model_files import ModelFiles
from tests.catalog.test_models import made
files = ModelFiles(Path(sys.argv[1]))
for number in range(int(sys.argv[2]), 1_000_000):
    version, signed = made("p1", number)
    files.put(version.id, signed)
    print(number, flush=True)
"""


def test_a_killed_writer_leaves_whole_files_or_none(tmp_path: Path) -> None:
    answered, files = -1, ModelFiles(tmp_path)
    for more in (1, 7, 20):
        command = [sys.executable, "-c", _WRITER, str(tmp_path), str(answered + 1)]
        writer = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        until = answered + more
        for line in writer.stdout:
            answered = int(line)
            if answered >= until:
                break
        writer.kill()
        answered = max([answered, *(int(line) for line in writer.stdout if line.strip())])
        writer.wait()
        for number in range(answered + 1):
            version, signed = made("p1", number)
            assert files.get(version.id) == signed
        for file in tmp_path.glob("??/*"):
            assert file.name.endswith(".half") or files.get(file.name)


def test_a_disk_that_takes_nothing_is_named(tmp_path: Path) -> None:
    version, signed = made()
    (tmp_path / version.id[:2]).write_text("in the way")
    with pytest.raises(StorageFailed, match="Check owner and free space"):
        ModelFiles(tmp_path).put(version.id, signed)


def test_what_a_kill_left_long_ago_is_removed(tmp_path: Path) -> None:

    version, signed = made()
    folder = tmp_path / version.id[:2]
    folder.mkdir()
    old, new = folder / "a.half", folder / "b.half"
    for each in (old, new):
        each.write_bytes(b"x")
    os.utime(old, (1, 1))
    ModelFiles(tmp_path).put(version.id, signed)
    assert (old.exists(), new.exists()) == (False, True)
