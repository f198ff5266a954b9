"""What the courier makes of a site's answers."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from forewarn.domain.model_delivery import HeldModels, WantedModels
from forewarn.gateway.conditions import Conditions
from forewarn.gateway.local.database import Memory
from forewarn.gateway.models.courier import ModelCourier
from forewarn.gateway.models.folder import ModelFolder
from forewarn.gateway.models.local_models import LocalModels
from forewarn.gateway.models.trust import TrustedKeys
from forewarn.gateway.uplink.link import SiteAway
from forewarn.kit.clock import now_us
from forewarn.policies.model_delivery import fingerprint
from tests.trained import DETECTORS, SITE, STRANGER, learned, signed

ONE, TWO = signed(learned("p1")), signed(learned("p2"))


class Link:
    """A site whose answers a test sets; an artifact that it does not have is one that did not come."""

    def __init__(self) -> None:
        self.wanted: dict[str, Any] = {}
        self.artifacts: dict[str, bytes] = {}
        self.asked: list[str] = []

    def want(self, *models: tuple[str, str], keys: tuple[str, ...] = (SITE.public_key,)) -> None:
        self.wanted = msgspec.to_builtins(WantedModels("r", dict(models), keys=keys))

    async def models(self) -> dict[str, Any]:
        return self.wanted

    async def artifact(self, version_id: str) -> bytes:
        self.asked.append(version_id)
        if version_id not in self.artifacts:
            raise SiteAway("cut")
        return self.artifacts[version_id]


class Edge:
    def __init__(self, directory: Path, *, private: bool = True, named: tuple[str, ...] = ()) -> None:
        self.link, self.memory = Link(), Memory(directory)
        self.keys = TrustedKeys(self.memory, named, private)
        self.models = LocalModels(ModelFolder(directory), DETECTORS, self.keys.known)
        conditions = Conditions("", now_us)
        self.courier = ModelCourier(
            self.link, self.models, self.keys, list, conditions, again_s=0.01, refused_again_s=0.01
        )

    def used(self) -> dict[str, str]:
        return {model.asset_id: model.version for model in self.models.acting.models()}

    async def until(self, holds: Any) -> None:
        self.courier.heard({"models": "r"})
        work = asyncio.create_task(self.courier.run())
        async with asyncio.timeout(20):
            while not holds():
                assert not work.done(), work.result()
                await asyncio.sleep(0.01)
        work.cancel()


async def test_what_did_not_come_is_asked_for_again_and_the_rest_is_used_at_once(tmp_path: Path) -> None:
    edge = Edge(tmp_path)
    edge.link.want(("p1", ONE[0]), ("p2", TWO[0]))
    edge.link.artifacts = {ONE[0]: ONE[1]}
    await edge.until(lambda: edge.used() == {"p1": ONE[0]} and edge.link.asked.count(TWO[0]) > 1)
    edge.link.artifacts[TWO[0]] = TWO[1]
    await edge.until(lambda: edge.used() == {"p1": ONE[0], "p2": TWO[0]})
    assert edge.link.asked.count(ONE[0]) == 1


@pytest.mark.parametrize(
    "answer",
    [
        {"acting": {"p1": "../../etc/passwd"}},
        {"acting": {"p1": ONE[0].upper()}},
        {"acting": ["p1"]},
        {"trials": [{"rollout_id": "r", "since": 1, "asset_id": "p1", "challenger": "x", "champion": None}]},
        {"withdrawn": 5},
    ],
)
async def test_an_answer_that_is_none_changes_nothing(tmp_path: Path, answer: dict[str, Any]) -> None:
    edge = Edge(tmp_path)
    edge.link.want(("p1", ONE[0]))
    edge.link.artifacts = {ONE[0]: ONE[1]}
    await edge.until(lambda: edge.used() == {"p1": ONE[0]})
    edge.link.wanted = answer
    edge.courier.heard({"models": "r2"})
    assert await edge.courier._follow() is not None
    assert edge.used() == {"p1": ONE[0]}


async def test_thresholds_follow_and_those_of_other_versions_are_left_out(tmp_path: Path) -> None:
    edge = Edge(tmp_path)
    edge.link.want(("p1", ONE[0]))
    edge.link.artifacts = {ONE[0]: ONE[1]}
    edge.link.wanted["thresholds"] = {ONE[0]: [2], "../x": [None, 1.0]}
    await edge.until(lambda: edge.used() == {"p1": ONE[0]})
    (model,) = edge.models.acting.models()
    assert [e.threshold for e in model.ensembles if e] == [2.0]
    assert "../x" not in (tmp_path / "models" / "plan.json").read_text()
    edge.link.wanted["thresholds"] = {ONE[0]: ["much"]}
    assert await edge.courier._follow() is not None
    assert edge.models.acting.models() == (model,)


async def test_what_is_held_is_told_once_until_it_changes_or_the_site_forgets(tmp_path: Path) -> None:
    edge = Edge(tmp_path)
    first = edge.courier.told()["held"]
    assert first == edge.models.held
    assert "held" in edge.courier.told()  # the answer did not come
    edge.courier.heard({"held": edge.models.held.name})
    assert edge.courier.told() == {}
    edge.link.want(("p1", ONE[0]))
    edge.link.artifacts = {ONE[0]: ONE[1]}
    await edge.until(lambda: edge.used() == {"p1": ONE[0]})
    told = edge.courier.told()["held"]
    assert isinstance(told, HeldModels)
    assert (dict(told.acting), told.revision, told.keys) == ({"p1": ONE[0]}, "r", (fingerprint(SITE.public_key),))
    edge.courier.heard({"held": told.name})
    edge.courier.heard({"held": ""})  # it was started anew
    assert edge.courier.told() == {"held": told}


def test_a_site_that_knows_nothing_of_it_is_told_once(tmp_path: Path) -> None:
    edge = Edge(tmp_path)
    assert "held" in edge.courier.told()
    edge.courier.heard({"time": 1, "models": ""})
    assert edge.courier.told() == {}


async def test_the_first_key_is_kept_and_another_site_s_models_are_refused(tmp_path: Path) -> None:
    edge = Edge(tmp_path)
    edge.link.want(("p1", ONE[0]))
    edge.link.artifacts = {ONE[0]: ONE[1]}
    await edge.until(lambda: edge.used() == {"p1": ONE[0]})
    edge.memory.close()
    again = Edge(tmp_path)
    assert again.used() == {"p1": ONE[0]}
    theirs = signed(learned("p1", 1), STRANGER)
    again.link.want(("p1", theirs[0]), keys=(STRANGER.public_key,))
    again.link.artifacts = {theirs[0]: theirs[1]}
    await again.until(lambda: "p1" in again.models.acting.refused())
    assert again.models.acting.refused()["p1"].kind == "unknown_key"
    assert "model_keys" in again.models.acting.refused()["p1"].text
    assert again.used() == {"p1": ONE[0]}
    again.memory.close()
    named = Edge(tmp_path, named=(STRANGER.public_key,))
    named.link.want(("p1", theirs[0]), keys=())
    named.link.artifacts = {theirs[0]: theirs[1]}
    await named.until(lambda: named.used() == {"p1": theirs[0]})


async def test_over_a_connection_that_others_can_read_no_key_is_learned(tmp_path: Path) -> None:
    edge = Edge(tmp_path, private=False)
    edge.link.want(("p1", ONE[0]))
    edge.link.artifacts = {ONE[0]: ONE[1]}
    await edge.until(lambda: "p1" in edge.models.acting.refused())
    assert (edge.used(), edge.keys.known()) == ({}, frozenset())
