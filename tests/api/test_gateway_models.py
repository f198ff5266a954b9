"""Models over a real server: what a gateway should hold, the bytes, and what it tells of those that are tried."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from forewarn.api.model_parts import ModelParts
from forewarn.app.site_rollouts import SiteRollouts
from forewarn.catalog import Catalog, open_catalog
from forewarn.contracts.anomaly_store import AnomalyQuery
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.evidence import Contribution, Evidence, Hypothesis
from forewarn.domain.model_delivery import DriftNews, HeldModels, MachineDrift, Side, Tally, WantedModels
from forewarn.domain.model_versions import ModelCard, ModelState, ModelVersion
from forewarn.domain.rollouts import Rollout
from forewarn.gateway import wire
from forewarn.gateway.uplink.link import SiteLink
from forewarn.kit.clock import HOUR, SECOND, now_us, to_rfc3339
from forewarn.policies.gateway_settings import UplinkSettings
from forewarn.policies.model_delivery import fingerprint, held
from tests.api.gateways import Gateway, found
from tests.api.site import SEAL, Site, open_parts, plant_of, serving
from tests.trained import SITE, STRANGER, learned, nervous, signed

DEED = Deed(AuditAction.MODEL_CHANGED, "anna", "a model")
CARD = ModelCard((), 9, ("p1.vibration", "p1.temperature"))
CHAMPION, CHALLENGER = (signed(nervous(learned("p1"), level)) for level in (1.0, 2.0))


def never() -> Any:
    raise AssertionError("nobody trains here")


def catalog_in(directory: Path) -> Catalog:
    return open_catalog(f"sqlite:///{directory / 'catalog.db'}", seal=SEAL, models=directory / "models")


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    with catalog_in(tmp_path_factory.mktemp("models")) as opened:
        yield opened


@contextlib.contextmanager
def site_with(
    catalog: Catalog, directory: Path, drift: Callable[[str], MachineDrift | None] = lambda _: None
) -> Iterator[Site]:
    rollouts = SiteRollouts(catalog.models, catalog.observations, lambda: {SITE.public_key}, now_us)
    models = ModelParts(catalog.models, catalog.jobs, lambda *_: never(), never, drift=drift)
    parts = open_parts(directory, delivery=rollouts, models=models)
    with parts as opened, serving(opened) as running:
        catalog.plant.apply(*plant_of())
        for version, artifact in (CHAMPION, CHALLENGER):
            catalog.models.add(ModelVersion(version, "p1", "", ("pca",), 1, CARD, "", 0), artifact)
        catalog.models.promote(CHAMPION[0], lambda _before, _after: DEED)
        catalog.models.start(Rollout("r1", {"p1": CHALLENGER[0]}, 1, since=1), DEED)
        rollouts.look_around()
        yield running


@pytest.fixture(scope="module")
def site(catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_with(catalog, tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture
def gateway(site: Site) -> Gateway:
    new = Gateway(site, "gw-models")
    assert new.put_signals().status_code == 200
    assert new.beat().status_code == 200
    return new


def test_a_heartbeat_names_what_the_list_says(gateway: Gateway) -> None:
    revision = gateway.beat().json()["models"]
    answer = gateway.client.get(f"{gateway.base}/models")
    wanted = msgspec.convert(answer.json(), WantedModels)
    assert wanted.revision == revision != ""
    assert dict(wanted.acting) == {"p1": CHAMPION[0]}
    assert [(t.challenger, t.champion) for t in wanted.trials] == [(CHALLENGER[0], CHAMPION[0])]
    assert wanted.keys == (SITE.public_key,)
    assert gateway.client.get(f"{gateway.base}/models/{CHALLENGER[0]}").content == CHALLENGER[1]
    assert gateway.beat(former=("p1.temperature",)).json()["models"] != revision


async def test_the_link_brings_the_same_bytes(gateway: Gateway, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(gateway.site.opened.gateway("gw-models").token)
    link = SiteLink(UplinkSettings(gateway.site.url, key_file=tmp_path / "key"), "gw-models", "1")
    await link.open()
    try:
        assert "p1" in (await link.models())["acting"]
        assert await link.artifact(CHAMPION[0]) == CHAMPION[1]
    finally:
        await link.close()


def test_only_the_gateway_itself_and_only_what_is_for_it(site: Site, gateway: Gateway) -> None:
    other = Gateway(site, "gw-elsewhere", ("p2.s1",))
    other.put_signals()
    assert other.client.get(f"{gateway.base}/models").status_code == 403
    assert site.client.get(f"{gateway.base}/models").status_code == 403
    assert httpx.get(f"{site.url}{gateway.base}/models").status_code == 401
    assert other.client.get(f"{other.base}/models").json()["acting"] == {}
    assert other.client.get(f"{other.base}/models/{CHAMPION[0]}").status_code == 404
    assert gateway.client.get(f"{gateway.base}/models/..%2f..%2fcatalog.db").status_code == 404


def test_what_it_saw_of_a_model_is_kept(gateway: Gateway, catalog: Catalog) -> None:
    since = catalog.models.rollout("r1").since
    tally = Tally("r1", since, Side.CHALLENGER, 4, 9.5, 8, 7, 6, 5, 4, (1, 2))
    body = msgspec.json.encode({"status": gateway.status(), "models": [tally]})
    for _ in range(2):
        assert gateway.client.post(f"{gateway.base}/heartbeat", content=body).status_code == 200
    assert list(catalog.observations.tallies(["r1"])) == [tally]


@pytest.mark.parametrize(
    "change",
    [
        {"rows": -1},
        {"rows": 1 << 60},
        {"rows": 4, "opinions": 5},
        {"calls": 4, "errors": 5},
        {"asset_s": -1.0},
        {"latency": [0] * 99},
        {"side": "both"},
        {"rollout_id": ""},
    ],
)
def test_counts_that_cannot_be_are_refused(gateway: Gateway, change: dict[str, object]) -> None:
    tally = msgspec.to_builtins(Tally("r1", 5, Side.CHALLENGER, 4)) | change
    body = msgspec.json.encode({"status": gateway.status(), "models": [tally]})
    answer = gateway.client.post(f"{gateway.base}/heartbeat", content=body)
    assert answer.status_code == 400
    assert answer.json()["detail"]


def tell(gateway: Gateway, held: object) -> httpx.Response:
    body = msgspec.json.encode({"status": gateway.status(), "held": held})
    return gateway.client.post(f"{gateway.base}/heartbeat", content=body)


def there(gateway: Gateway) -> dict[str, Any]:
    answer = gateway.site.client.get(gateway.base)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["models"])


def test_what_it_holds_is_told_once_and_shown(site: Site) -> None:
    gateway = Gateway(site, "gw-tells")
    gateway.put_signals()
    assert gateway.beat().json()["held"] == ""  # a gateway of before
    silent = there(gateway)
    assert (silent["told_at"], silent["up_to_date"], silent["trusts_site"]) == (None, False, False)
    nothing = {"asset_id": "p1", "wanted": CHAMPION[0], "acting": None, "refused": None, "moved": False}
    assert silent["machines"] == [nothing]
    revision = gateway.beat().json()["models"]
    acting = {"p1": CHAMPION[0], "p2": CHAMPION[0]}  # p2 is none of its machines
    told = held(WantedModels(revision), acting, {"p1": "unknown_key"}, [SITE.public_key])
    assert tell(gateway, told).json()["held"] == told.name
    assert gateway.beat().json()["held"] == told.name
    shown = there(gateway)
    assert shown["told_at"] is not None
    assert (shown["keys"], shown["trusts_site"]) == ([fingerprint(SITE.public_key)], True)
    assert shown["machines"] == [nothing | {"acting": CHAMPION[0], "refused": "unknown_key"}]
    assert not shown["up_to_date"]  # it speaks of p2
    tell(gateway, held(WantedModels(revision), {"p1": CHAMPION[0]}, {}, [STRANGER.public_key]))
    shown = there(gateway)
    assert (shown["up_to_date"], shown["trusts_site"], shown["thresholds"]) == (True, False, "")


@pytest.mark.parametrize(
    "change",
    [
        {"acting": {f"m{i}": "v" for i in range(10_001)}},
        {"acting": {"p1": "v" * 65}},
        {"refused": {"p" * 201: "damaged"}},
        {"keys": ["k"] * 65},
        {"name": 5},
        {"acting": ["p1"]},
    ],
)
def test_more_than_a_gateway_can_hold_is_refused(gateway: Gateway, change: dict[str, object]) -> None:
    before = there(gateway)
    answer = tell(gateway, msgspec.to_builtins(HeldModels("n")) | change)
    assert answer.status_code == 400
    assert answer.json()["detail"]
    assert there(gateway) == before


def drift_of(site: Site) -> Any:
    return site.client.get("/api/v1/assets/p1/model").json()["drift"]


def tell_drift(gateway: Gateway, drift: object) -> httpx.Response:
    body = msgspec.json.encode({"status": gateway.status(), "drift": drift})
    return gateway.client.post(f"{gateway.base}/heartbeat", content=body)


def test_how_a_machine_drifts_is_told_by_the_gateway_that_judges_it(site: Site) -> None:
    assert drift_of(site) is None
    gateway = Gateway(site, "gw-drift")
    gateway.put_signals()
    assert gateway.beat().json()["drift"] == 0  # a gateway of before tells nothing
    signals = {"p1.vibration": (0.31, 0.25), "p2.s1": (0.1, 0.25)}  # the last one is none of the machine's
    at = now_us()
    news = DriftNews(0, 7, {"p1": MachineDrift(at, signals, 0.02, 0.01), "p2": MachineDrift(at)})
    assert tell_drift(gateway, news).json()["drift"] == 7
    shown = {
        "judged_at": to_rfc3339(at),
        "by": "gw-drift",
        "signals": [{"signal_id": "p1.vibration", "psi": 0.31, "usual": 0.25}],
        "over": 0.02,
        "usual": 0.01,
    }
    assert drift_of(site) == shown
    assert gateway.beat().json()["drift"] == 7
    refused = tell_drift(gateway, {"since": 7, "until": 8, "machines": {"p1": {"at": -1}}})
    assert (refused.status_code, refused.json()["field"]) == (400, "drift")
    assert drift_of(site) == shown
    assert tell_drift(gateway, DriftNews(7, 8, {"p1": None})).json()["drift"] == 8
    assert drift_of(site) is None


def moved(at: int, psi: float = 9.0) -> DriftNews:
    return DriftNews(0, 7, {"p1": MachineDrift(at, {"p1.vibration": (psi, 0.25)}, 0.5, 0.01)})


def tell_as(gateway: Gateway, version: str, news: DriftNews) -> None:
    told = held(WantedModels(), {"p1": version}, {}, [SITE.public_key])
    body = msgspec.json.encode({"status": gateway.status(), "held": told, "drift": news})
    assert gateway.client.post(f"{gateway.base}/heartbeat", content=body).json()["drift"] == news.until


def test_drift_is_of_what_acts_or_as_the_site_itself_judges_it(tmp_path: Path) -> None:
    own = MachineDrift(5, {"p1.speed": (0.1, 0.25)})
    with catalog_in(tmp_path) as catalog, site_with(catalog, tmp_path, lambda _: own) as site:
        first, second = (Gateway(site, name) for name in ("gw-1", "gw-2"))
        for gateway in (first, second):
            gateway.put_signals()
            gateway.beat()
        tell_drift(first, moved(3_600_000_000))  # before the champion acted, of nobody knows which
        assert drift_of(site)["by"] == ""
        tell_drift(first, moved(now_us()))
        tell_as(second, CHAMPION[0], moved(3_600_000_000, 1.0))
        assert drift_of(site)["by"] == "gw-1"
        first.beat(former=("p1.vibration",))
        assert drift_of(site)["by"] == "gw-2"
        step(catalog, ModelState.CANARY, share=1.0)
        site.parts.delivery.refresh()
        assert drift_of(site)["by"] == ""
        tell_as(second, CHALLENGER[0], moved(now_us()))
        assert drift_of(site)["by"] == "gw-2"
        step(catalog, ModelState.ROLLED_BACK)
        assert drift_of(site)["by"] == ""
        catalog.models.promote(CHALLENGER[0], lambda _before, _after: DEED)
        assert drift_of(site)["by"] == "gw-2"  # what it knows is of the one that acts again


def step(catalog: Catalog, state: ModelState, share: float = 0.1) -> None:
    def change(rollout: Rollout) -> Rollout:
        return replace(rollout, state=state, since=now_us(), share=share)

    catalog.models.change_rollout("r1", change, lambda _before, _after: DEED)


def test_a_clock_far_ahead_hides_nobody_for_good(site: Site) -> None:
    gateway = Gateway(site, "gw-ahead")
    gateway.put_signals()
    gateway.beat()
    tell_drift(gateway, moved(now_us() + 9_000 * HOUR))
    shown = drift_of(site)
    assert (shown["by"], shown["judged_at"] <= to_rfc3339(now_us() + site.parts.future_us)) == ("gw-ahead", True)
    tell_drift(gateway, DriftNews(7, 8, {"p1": None}))


def test_a_gateway_is_believed_of_signals_that_it_collects(site: Site) -> None:
    gateway = Gateway(site, "gw-part")
    gateway.put_signals()
    gateway.beat()
    pairs = {f"p1.{kind}": (1.0, 0.25) for kind in ("vibration", "speed", "x" * 190)}
    tell_drift(gateway, DriftNews(0, 7, {"p1": MachineDrift(now_us(), pairs)}))
    assert {one["signal_id"] for one in drift_of(site)["signals"]} == pairs.keys() - {"p1." + "x" * 190}
    tell_drift(gateway, DriftNews(7, 8, {"p1": None}))


def test_what_a_later_gateway_says_besides_is_passed_over(gateway: Gateway) -> None:
    told = {"status": gateway.status(), "tomorrow": {"x": 1}, "drift": {"since": 0, "until": 1, "y": [2]}}
    answer = gateway.client.post(f"{gateway.base}/heartbeat", content=msgspec.json.encode(told))
    assert (answer.status_code, answer.json()["drift"]) == (200, 1)


EVIDENCE = Evidence(
    ratio=2.5,
    threshold=1.1,
    regime=0,
    regimes=1,
    window_start=5,
    window_end=9,
    members=(("pca", 2.5), ("robust_z", float("nan"))),
    contributions=(
        Contribution("p1.vibration", 0.7, 3.0, 2.0, "mm/s"),
        Contribution("q1.vibration", 0.2, 3.0, 2.0, "mm/s"),
        *(Contribution("p1.speed", 0.1, None, None, "rpm") for _ in range(80)),
    ),
    hypotheses=(Hypothesis("imbalance", 7.0, "x" * 900),),
    model=CHAMPION[0],
)


def test_a_finding_of_the_edge_keeps_its_evidence_bounded(site: Site, gateway: Gateway) -> None:
    at = now_us() - 60 * SECOND
    body = wire.encode_findings([replace(found(at, at + SECOND), detector="ensemble", evidence=EVIDENCE)], [])
    assert gateway.send(body, "findings").json()["accepted"] == 1
    (kept,) = [a.finding for a in site.parts.anomalies.find(AnomalyQuery())[0] if a.finding.started_at == at]
    evidence = kept.evidence
    assert evidence is not None
    assert (evidence.ratio, evidence.threshold, evidence.members) == (2.5, 1.1, (("pca", 2.5),))
    assert evidence.contributions[0] == EVIDENCE.contributions[0]
    assert {c.signal_id for c in evidence.contributions} == {"p1.vibration", "p1.speed"}
    assert len(evidence.contributions) <= 50
    assert evidence.hypotheses[0].score == 1.0
    assert len(evidence.hypotheses[0].speaks_for) == 300
    assert evidence.model == CHAMPION[0]


@pytest.mark.parametrize("evidence", ["5", "{}", '{"ratio": "x"}', "[" * 900 + "]" * 900])
def test_evidence_that_is_none_costs_nobody_the_finding(site: Site, gateway: Gateway, evidence: str) -> None:
    at = now_us() - 30 * SECOND
    told = msgspec.to_builtins(found(at, at + SECOND, signal="p1.speed")) | {"evidence": msgspec.Raw(evidence.encode())}
    told.pop("signal_key")
    body = wire._compress(msgspec.json.encode({"findings": [told], "events": []}))
    assert gateway.send(body, "findings").json()["accepted"] == 1
