"""Rollouts taken on and back by what was seen; a new process goes on where the last one ended."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from forewarn.app.site_rollouts import SiteRollouts
from forewarn.catalog import Catalog, Seal, open_catalog
from forewarn.contracts.audit_log import AuditQuery
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.errors import NotFound
from forewarn.domain.model_delivery import LATENCY_CLASSES, Side, Tally
from forewarn.domain.model_versions import ModelCard, ModelState, ModelVersion
from forewarn.domain.rollouts import RollbackReason, Rollout
from forewarn.kit.clock import DAY, MINUTE, SECOND
from forewarn.policies.rollout import canary_of
from tests.catalog.plants import plant
from tests.trained import SITE, learned, nervous, signed

ASSETS = ("p1", "p2", "p3")
DEED = Deed(AuditAction.MODEL_CHANGED, "anna", "a model")
COLLECTED = [f"{asset}.vibration" for asset in ASSETS]


@dataclass
class Clock:
    now: int = 1_000 * DAY

    def __call__(self) -> int:
        return self.now


class Plant:
    """A catalog with champions and a rollout of their successors."""

    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self.catalog, self.clock = catalog, clock
        self.old = {asset: self._add(asset, 0) for asset in ASSETS}
        for version in self.old.values():
            catalog.models.promote(version, lambda _before, _after: DEED)
        self.new = {asset: self._add(asset, 1) for asset in ASSETS}
        catalog.models.start(Rollout("r1", self.new, clock(), since=clock(), share=0.1), DEED)
        self.site = self.started()

    def _add(self, asset: str, number: int) -> str:
        version, artifact = signed(nervous(learned(asset), 1.0 + number))
        about = ModelVersion(version, asset, "", ("pca",), number, ModelCard((), 9, (f"{asset}.vibration",)), "", 0)
        return self.catalog.models.add(about, artifact).id

    def started(self) -> SiteRollouts:
        """As by a new process."""
        site = SiteRollouts(self.catalog.models, self.catalog.observations, lambda: {SITE.public_key}, self.clock)
        site.refresh()
        return site

    def passes(self, days: float = 0.0, **seen: float) -> ModelState:
        """Gateways tell, time goes by, the site looks around."""
        rollout = self.catalog.models.rollout("r1")
        usual = {"asset_s": 3 * 86_400.0, "rows": 10_000, "opinions": 9_000, "calls": 1_000}
        latency = (1_000,) + (0,) * len(LATENCY_CLASSES)
        sides = ((Side.CHALLENGER, usual | seen), (Side.CHAMPION, usual))
        told = [Tally("r1", rollout.since, side, 1, latency=latency, **counts) for side, counts in sides]  # type: ignore[arg-type]
        self.site.tell("gw-a", told, COLLECTED)
        self.clock.now += int(days * DAY) + 61 * SECOND
        self.site.look_around()
        return self.catalog.models.rollout("r1").state

    def acting(self) -> dict[str, str]:
        return dict(self.site.wanted(COLLECTED).acting)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Plant]:
    clock = Clock()
    url = f"sqlite:///{tmp_path / 'catalog.db'}"
    with open_catalog(url, clock, Seal(b"0" * 32), tmp_path / "models") as catalog:
        catalog.plant.apply(plant(*ASSETS), ())
        yield Plant(catalog, clock)


def test_a_good_one_becomes_champion_step_by_step_whoever_is_killed_in_between(running: Plant) -> None:
    sung = canary_of("r1", ASSETS, 0.1)
    assert running.acting() == running.old
    assert running.passes() is ModelState.SHADOW
    running.site = running.started()
    assert running.passes(0.5) is ModelState.SHADOW
    assert running.passes(0.6) is ModelState.CANARY
    running.site = running.started()
    assert {a for a in ASSETS if running.acting()[a] == running.new[a]} == sung
    assert len(running.site.wanted(COLLECTED).trials) == 3
    assert running.passes(1.1) is ModelState.CHAMPION
    assert running.acting() == running.new
    trials = running.site.wanted(COLLECTED).trials
    assert {t.asset_id: t.champion for t in trials} == running.old  # the one before is watched beside it
    assert running.passes(8) is ModelState.CHAMPION
    assert running.site.wanted(COLLECTED).trials == ()


@pytest.mark.parametrize("until", [ModelState.SHADOW, ModelState.CANARY, ModelState.CHAMPION])
@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        ({"alarms": 9}, RollbackReason.ALARM_RATE),
        ({"errors": 20}, RollbackReason.ERRORS),
        ({"opinions": 100}, RollbackReason.SILENT),
    ],
)
def test_one_that_misbehaves_goes_back_from_any_step(
    running: Plant, until: ModelState, seen: dict[str, float], reason: RollbackReason
) -> None:
    while running.passes(1.1) is not until:
        pass
    before = len(running.catalog.audit.find(AuditQuery()))
    assert running.passes(**seen) is ModelState.ROLLED_BACK
    assert running.catalog.models.rollout("r1").reason is reason
    wanted = running.site.wanted(COLLECTED)
    assert dict(wanted.acting) == running.old
    assert set(wanted.withdrawn) == set(running.new.values())
    assert wanted.trials == ()
    assert running.passes(**seen) is ModelState.ROLLED_BACK
    (entry, *_) = running.catalog.audit.find(AuditQuery())
    assert len(running.catalog.audit.find(AuditQuery())) == before + 1
    assert entry.deed.actor == "forewarn"
    assert entry.deed.why


def test_nothing_is_decided_before_anybody_has_told(running: Plant) -> None:
    running.site.look_around()
    running.clock.now += 2 * DAY
    running.site.look_around()
    assert running.catalog.models.rollout("r1").state is ModelState.SHADOW


def test_one_that_nobody_judges_ends_but_not_before_a_site_that_stood_still_was_told(running: Plant) -> None:
    running.site.look_around()
    running.clock.now += 30 * DAY
    running.site = running.started()
    for minutes in (0, 1, 57):
        running.clock.now += minutes * MINUTE
        running.site.look_around()
        assert running.catalog.models.rollout("r1").state is ModelState.SHADOW
    running.clock.now += 2 * MINUTE
    running.site.look_around()
    rollout = running.catalog.models.rollout("r1")
    assert (rollout.state, rollout.reason) == (ModelState.ROLLED_BACK, RollbackReason.UNSEEN)
    assert running.acting() == running.old


def test_a_gateway_gets_what_it_should_hold_and_nothing_else(running: Plant) -> None:
    running.passes()
    mine = running.site.wanted(["p1.vibration"])
    assert mine.versions == {running.old["p1"], running.new["p1"]}
    assert running.site.artifact(running.new["p1"], ["p1.vibration"])
    for version in (running.new["p2"], "../x", ""):
        with pytest.raises(NotFound):
            running.site.artifact(version, ["p1.vibration"])


def test_a_gateway_has_no_say_on_machines_that_it_does_not_collect(running: Plant) -> None:
    def says(gateway: str, collected: list[str]) -> ModelState:
        rollout = running.catalog.models.rollout("r1")
        told = Tally("r1", rollout.since, Side.CHALLENGER, 1, calls=1_000, errors=1_000)
        running.site.tell(gateway, [told], collected)
        running.clock.now += 61 * SECOND
        running.site.look_around()
        return running.catalog.models.rollout("r1").state

    assert says("gw-b", ["x.flow"]) is ModelState.SHADOW
    assert says("gw-b", ["x.flow"]) is ModelState.SHADOW
    assert says("gw-a", COLLECTED) is ModelState.ROLLED_BACK
