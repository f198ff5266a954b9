"""Rollouts over HTTP: begun, followed and ended by who may; on SQLite and PostgreSQL."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from forewarn.api.model_parts import ModelParts
from forewarn.catalog import Catalog, open_catalog
from forewarn.contracts.audit_log import AuditQuery
from forewarn.domain.access import Grant, Role
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.model_delivery import LATENCY_CLASSES, Side, Tally
from forewarn.domain.model_versions import ModelCard, ModelState, ModelVersion
from forewarn.domain.rollouts import RolloutSettings
from forewarn.jobs.rollout import RolloutJob
from forewarn.jobs.rollout_desk import SiteRolloutDesk
from forewarn.jobs.training.run import training_job
from forewarn.kit.clock import DAY, HOUR, SECOND, now_us, to_rfc3339
from forewarn.policies.model_artifact import pack
from forewarn.policies.model_signature import content_id, sign
from forewarn.policies.rollout import canary_of
from tests.api.site import PATH, SEAL, SECOND_PATH, Site, open_parts, plant_of, serving
from tests.jobs.training.run_here import SITE
from tests.postgres_server import postgres_server

__all__ = ["postgres_server"]

DEED = Deed(AuditAction.MODEL_CHANGED, "anna", "a model")
SETTINGS = RolloutSettings(shadow_s=6 * 3_600.0, canary_s=6 * 3_600.0, watch_s=2 * 86_400.0)
HERE, ELSEWHERE = "/".join(PATH), "/".join(SECOND_PATH)


@dataclass
class Clock:
    now: int

    def __call__(self) -> int:
        return self.now


@dataclass
class Kept:
    site: Site
    catalog: Catalog
    clock: Clock

    def __post_init__(self) -> None:
        self.job = RolloutJob(self.catalog.models, self.catalog.observations, self.clock, SETTINGS)
        self.job.step()

    @property
    def client(self) -> httpx.Client:
        return self.site.client

    def add(self, asset_id: str, number: int) -> str:
        payload = pack({"asset": asset_id, "number": number}, {"mean": np.arange(3.0)})
        card = ModelCard((), 9, (f"{asset_id}.vibration",))
        version = ModelVersion(content_id(payload), asset_id, "pump", ("pca",), number, card, "", 0)
        return self.catalog.models.add(version, sign(payload, SITE)).id

    def champion(self, asset_id: str, number: int = 1) -> str:
        version = self.add(asset_id, number)
        self.catalog.models.promote(version, lambda _before, _after: DEED)
        return version

    def page(self, **query: Any) -> dict[str, Any]:
        answer = self.client.get("/api/v1/rollouts", params=query)
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.json()
        return page

    def begun(self, *assets: str, **more: Any) -> dict[str, Any]:
        answer = self.client.post("/api/v1/rollouts", json={"assets": assets, **more})
        assert answer.status_code == 201, answer.text
        view: dict[str, Any] = answer.json()
        return view

    def refused(self, path: str, **body: Any) -> tuple[int, str]:
        answer = self.client.post(f"/api/v1/rollouts{path}", json=body)
        return answer.status_code, answer.json()["detail"]

    def told(self, rollout_id: str, side: Side, **seen: Any) -> None:
        rollout = self.catalog.models.rollout(rollout_id)
        told = Tally(rollout_id, rollout.since, side, 1, asset_s=86_400.0, rows=4_000, opinions=3_000, calls=1_000)
        latency = (0, 1_000) + (0,) * (len(LATENCY_CLASSES) - 1)
        self.catalog.observations.keep("gw", [replace(told, latency=latency, **seen)])

    def passes(self, hours: float) -> None:
        self.clock.now += round(hours * HOUR)
        self.job.step()


@pytest.fixture(params=["sqlite", "postgresql"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    url = f"sqlite:///{tmp_path / 'models.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_server").url()
    clock = Clock(1_000 * DAY)
    with open_parts(tmp_path) as opened, open_catalog(url, clock, SEAL, tmp_path / "models") as catalog:
        catalog.plant.apply(*plant_of())
        parts = ModelParts(
            catalog.models,
            catalog.jobs,
            lambda assets, by, days: training_job(assets, by, now_us(), days),
            lambda: None,
            rollouts=SiteRolloutDesk(catalog.models, catalog.observations, clock, SETTINGS),
        )
        with serving(opened.but(models=parts)) as site:
            yield Kept(site, catalog, clock)


def test_begun_followed_to_the_end_of_its_watch(kept: Kept) -> None:
    old = {asset: kept.champion(asset) for asset in ("p1", "p2", "q1")}
    new = {asset: kept.add(asset, 2) for asset in old}
    assert [(c["asset_id"], c["model_id"], c["reason"]) for c in kept.page()["candidates"]] == [
        (asset, new[asset], "") for asset in sorted(new)
    ]
    at = kept.clock.now
    view = kept.begun(share=0.3)
    assert (view["state"], view["is_over"], view["reason"], view["share"]) == ("shadow", False, None, 0.3)
    assert [(m["asset_id"], m["model_id"], m["champion_id"], m["acts"]) for m in view["machines"]] == [
        (asset, new[asset], old[asset], False) for asset in sorted(new)
    ]
    assert (view["challenger"], view["champion"], view["bounds"]) == (None, None, None)
    due = to_rfc3339(at + 6 * HOUR + 1)
    assert view["next"] == {"state": "canary", "at": due, "progress": 0.0, "rows": 0, "least_rows": 3_600}
    assert kept.page() == {"rollouts": [view], "candidates": []}

    kept.told(view["id"], Side.CHAMPION, alarms=2)
    kept.told(view["id"], Side.CHALLENGER, rows=1_800, opinions=900, errors=1)
    kept.passes(7)
    (view,) = kept.page()["rollouts"]
    assert (view["next"]["at"], view["next"]["progress"], view["next"]["rows"]) == (None, 0.5, 1_800)
    scored = {"hours": 24.0, "rows": 1_800, "opinions": 0.5, "alarms": 0, "alarms_per_week": 0.0}
    assert view["challenger"] == scored | {"calls": 1_000, "errors": 1, "latency_ms": LATENCY_CLASSES[1]}
    assert (view["champion"]["alarms"], view["champion"]["alarms_per_week"]) == (2, 14.0)
    # 1.5 times 14 a week is 3 a day; the most that chance makes of 3 in a day is 10.
    bounds = {"alarms_per_week": 70.0, "latency_ms": 10.0, "errors": 0.001, "opinions": 0.375}
    assert view["bounds"] == pytest.approx(bounds)

    kept.told(view["id"], Side.CHALLENGER, alarms=10)
    kept.passes(0)
    (view,) = kept.page()["rollouts"]
    assert (view["state"], view["challenger"], view["next"]["rows"]) == ("canary", None, 0)
    acting = canary_of(view["id"], new, 0.3)
    assert {m["asset_id"] for m in view["machines"] if m["acts"]} == acting
    kept.told(view["id"], Side.CHALLENGER)
    kept.passes(6.1)
    (view,) = kept.page()["rollouts"]
    assert (view["state"], view["next"]["state"], view["next"]["least_rows"]) == ("champion", "watched", 0)
    assert [(m["champion_id"], m["acts"]) for m in view["machines"]] == [(old[a], True) for a in sorted(old)]
    kept.passes(48)
    (view,) = kept.page()["rollouts"]
    assert (view["is_over"], view["next"], view["state"]) == (True, None, "champion")
    other = kept.champion("p2", 3)  # by hand
    machines = {m["asset_id"]: m for m in kept.page()["rollouts"][0]["machines"]}
    assert (machines["p2"]["acts"], machines["p2"]["champion_id"], machines["p1"]["acts"]) == (False, None, True)
    assert other not in new.values()


def test_rolled_back_by_hand_and_in_the_audit_log(kept: Kept) -> None:
    first, second = kept.champion("p1"), kept.add("p1", 2)
    view = kept.begun("p1")
    kept.told(view["id"], Side.CHALLENGER)
    kept.passes(6.1)
    assert kept.page()["rollouts"][0]["machines"][0]["acts"] is True  # of one machine the canary is that one
    path = f"/{view['id']}/rollback"
    for reason in ("", "   ", "\u200b", "to \x1b[31mloud", "nul \0", "x" * 2_001):
        refused = kept.client.post(f"/api/v1/rollouts{path}", json={"reason": reason})
        assert (refused.status_code, refused.json()["field"]) == (422, "reason"), reason
    assert kept.refused(path)[0] == 422
    back = kept.client.post(f"/api/v1/rollouts{path}", json={"reason": " shift B hears it all night\n"}).json()
    assert (back["state"], back["reason"], back["note"]) == ("rolled_back", "by_hand", "shift B hears it all night")
    assert (back["is_over"], back["next"], back["machines"][0]["acts"]) == (True, None, False)
    assert back["machines"][0] == {"asset_id": "p1", "model_id": second, "champion_id": first, "acts": False}
    status, why = kept.refused(path, reason="again")
    assert (status, why) == (409, f"rollout {view['id']} was rolled back already: shift B hears it all night")
    told = [(e.deed.actor, e.deed.before, e.deed.after, e.deed.why) for e in kept.catalog.audit.find(AuditQuery())]
    assert told[0] == ("anna", {"state": "canary"}, {"state": "rolled_back"}, "shift B hears it all night")
    assert told[2][:3] == ("anna", {"state": "candidate"}, {"state": "shadow"})
    assert told[3][:3] == ("anna", None, {"state": "candidate", "machines": 1, "share": 0.1})
    assert kept.page()["candidates"] == []  # what was rolled back is not tried again
    kept.clock.now += HOUR
    kept.champion("p1", 3)
    assert kept.page()["rollouts"][0]["machines"][0]["champion_id"] is None


def test_what_may_be_tried_and_what_not(kept: Kept) -> None:
    status, why = kept.refused("")
    assert (status, "train first" in why) == (409, True)
    old = kept.add("p1", 1)
    kept.champion("p1", 2)  # a candidate that is older than the champion was overtaken
    weak = kept.add("p2", 1)
    kept.catalog.models.set_aside(weak, "not rolled out: it is blind", DEED)
    found = kept.page()["candidates"]
    assert [(c["asset_id"], c["reason"]) for c in found] == [("p2", "not rolled out: it is blind")]
    assert old not in [c["model_id"] for c in found]
    status, why = kept.refused("")
    assert (status, "set aside (p2)" in why) == (409, True)
    status, why = kept.refused("", assets=["p2", "p1"])
    assert (status, why) == (404, "no candidate of p1: train one first (`forewarn train p1`)")
    share = kept.client.post("/api/v1/rollouts", json={"share": True})
    assert (share.status_code, share.json()["field"]) == (422, "share")
    status, why = kept.refused("", assets=["p7"])
    assert (status, why) == (404, "there is no asset 'p7'")
    view = kept.begun("p2", "p2")  # by name, although it was set aside: who asks knows better
    assert [m["champion_id"] for m in view["machines"]] == [None]
    kept.add("p2", 3)
    assert kept.page()["candidates"] == []
    status, why = kept.refused("", assets=["p2"])
    assert (status, why) == (409, f"p2 is in rollout {view['id']!r}, which is under way: end that first")


def test_promoted_by_hand_after_it_was_rolled_back_it_acts(kept: Kept) -> None:
    old, new = kept.champion("p1"), kept.add("p1", 2)
    path = f"/{kept.begun('p1')['id']}/rollback"
    assert kept.client.post(f"/api/v1/rollouts{path}", json={"reason": "no"}).status_code == 200
    kept.clock.now += SECOND
    for _ in range(2):
        kept.catalog.models.promote(new, lambda _before, _after: DEED)
        (machine,) = kept.page()["rollouts"][0]["machines"]
        assert (machine["champion_id"], machine["acts"]) == (old, True)
        kept.catalog.models.demote(new, "again", lambda _before, _after: DEED)
        kept.clock.now += HOUR
    assert kept.page()["rollouts"][0]["machines"][0]["acts"] is False


def test_beside_a_watched_champion_the_canary_acts_and_starts_anew_when_that_goes(kept: Kept) -> None:
    old = {asset: kept.champion(asset) for asset in ("p1", "p2", "q1")}
    first = {asset: kept.add(asset, 2) for asset in old}
    watched = kept.begun()["id"]
    for _ in range(2):
        kept.told(watched, Side.CHALLENGER)
        kept.passes(6.1)
    second = {asset: kept.add(asset, 3) for asset in ("p1", "q1")}
    going = kept.begun("p1", "q1", share=0.5)["id"]
    kept.told(going, Side.CHALLENGER)
    kept.passes(6.1)
    (taken,) = canary_of(going, second, 0.5)

    def machines(page: dict[str, Any], rollout_id: str) -> dict[str, tuple[str, bool]]:
        view = next(r for r in page["rollouts"] if r["id"] == rollout_id)
        return {m["asset_id"]: (m["champion_id"], m["acts"]) for m in view["machines"]}

    page = kept.page()
    assert [r["state"] for r in page["rollouts"]] == ["canary", "champion"]
    assert machines(page, watched) == {asset: (old[asset], asset != taken) for asset in old}
    assert machines(page, going) == {asset: (first[asset], asset == taken) for asset in second}
    with kept.site.as_person("goa", Grant(Role.PLANT_ENGINEER, ELSEWHERE)) as far:
        theirs = far.get("/api/v1/rollouts").json()
        assert machines(theirs, watched) == {"q1": (old["q1"], taken != "q1")}
        assert machines(theirs, going) == {"q1": (first["q1"], taken == "q1")}

    kept.told(going, Side.CHALLENGER, alarms=1)
    kept.clock.now += HOUR
    path = f"/api/v1/rollouts/{watched}/rollback"
    assert kept.client.post(path, json={"reason": "too loud"}).status_code == 200
    kept.passes(0)
    anew = kept.page()["rollouts"][0]
    assert (anew["id"], anew["state"], anew["challenger"]) == (going, "canary", None)
    assert (anew["since"], anew["next"]["rows"]) == (to_rfc3339(kept.clock.now), 0)
    assert machines(kept.page(), going) == {asset: (old[asset], asset == taken) for asset in second}
    told = kept.catalog.audit.find(AuditQuery())[0].deed
    assert (told.actor, told.target) == ("anna", f"rollout {going}")
    assert told.why == f"its champion changed with rollout {watched} (rolled_back): this step begins anew"


def test_strange_names_and_words(kept: Kept) -> None:
    for strange in ("%00", "a%00b", "%0d%0a", "%7f", "none", "%F0%9F%90%9F"):
        assert kept.refused(f"/{strange}/rollback", reason="x")[0] == 404
    kept.add("p1", 1)
    view = kept.begun("p1")
    unreadable = kept.client.post(f"/api/v1/rollouts/{view['id']}/rollback", json={"reason": "a\0b"})
    assert unreadable.status_code == 422
    assert kept.refused("", assets=["p1\0"])[0] == 404
    for share in (0, 0.001, 1.1, "much"):
        assert kept.refused("", share=share)[0] == 422
    assert kept.refused("", shares=1)[0] == 422
    assert kept.client.get("/api/v1/rollouts", params={"limit": 0}).status_code == 422


def test_of_a_part_of_the_plant_its_machines_alone(kept: Kept) -> None:
    old = {asset: kept.champion(asset) for asset in ("p1", "p2", "q1")}
    new = {asset: kept.add(asset, 2) for asset in old}
    both = kept.begun("p1", "q1", share=0.5)["id"]
    kept.clock.now += SECOND
    near = kept.begun("p2")["id"]
    kept.told(both, Side.CHALLENGER, rows=9_000, opinions=9_000)
    kept.passes(6.1)
    whole = next(r for r in kept.page()["rollouts"] if r["id"] == both)
    acts = {m["asset_id"]: m["acts"] for m in whole["machines"]}
    assert sorted(acts.values()) == [False, True]  # one of them is the canary
    with kept.site.as_person("goa", Grant(Role.PLANT_ENGINEER, ELSEWHERE)) as far:
        (view,) = far.get("/api/v1/rollouts").json()["rollouts"]
        told = {"asset_id": "q1", "model_id": new["q1"], "champion_id": old["q1"], "acts": acts["q1"]}
        assert view == {**whole, "machines": [told]}
        assert far.post("/api/v1/rollouts", json={}).status_code == 403
        assert far.post("/api/v1/rollouts", json={"assets": ["q1"]}).status_code == 403
        assert far.post("/api/v1/rollouts", json={"assets": ["p1"]}).status_code == 404
        for rollout in (both, near, "none"):
            refused = far.post(f"/api/v1/rollouts/{rollout}/rollback", json={"reason": "mine"})
            assert (refused.status_code, "the whole site" in refused.json()["detail"]) == (403, True)
    with kept.site.as_person("nashik", Grant(Role.TECHNICIAN, HERE)) as here:
        page = here.get("/api/v1/rollouts").json()
        assert [[m["asset_id"] for m in r["machines"]] for r in page["rollouts"]] == [["p2"], ["p1"]]
        assert here.post("/api/v1/rollouts", json={}).status_code == 403
        assert here.post(f"/api/v1/rollouts/{both}/rollback", json={"reason": "x"}).status_code == 403
    assert kept.catalog.models.rollout(both).state is ModelState.CANARY
    first = {m["acts"] for r in page["rollouts"] if r["id"] == both for m in r["machines"]}
    assert first == {acts["p1"]}


def test_newest_first_and_of_the_ended_no_more_than_asked_for(kept: Kept) -> None:
    kept.add("p2", 9)
    going = kept.begun("p2")
    kept.clock.now += SECOND
    for number in range(3):
        kept.add("p1", number)
        view = kept.begun("p1")
        kept.client.post(f"/api/v1/rollouts/{view['id']}/rollback", json={"reason": "next"})
        kept.clock.now += SECOND
    starts = [r["started_at"] for r in kept.page()["rollouts"]]
    assert starts == sorted(starts, reverse=True)
    assert [r["started_at"] for r in kept.page(limit=2)["rollouts"]] == [*starts[:2], going["started_at"]], "under way"


def test_a_server_without_models_says_so(tmp_path: Path) -> None:
    with open_parts(tmp_path) as opened, serving(opened) as site:
        refused = site.client.get("/api/v1/rollouts")
        assert (refused.status_code, refused.json()["detail"]) == (409, "this server keeps no trained models")
