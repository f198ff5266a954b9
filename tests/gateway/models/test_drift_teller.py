"""How machines drift, told to a site that may forget, fall silent or be of another version."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from forewarn.api.gateway_drift import GatewayDrift, bounded
from forewarn.api.gateway_tallies import told_models
from forewarn.domain.errors import InvalidInput
from forewarn.domain.model_delivery import DriftNews, MachineDrift
from forewarn.gateway.models.drift_teller import DriftTeller
from forewarn.kit.clock import HOUR, MINUTE
from forewarn.policies.model_delivery import drift_to_tell

NOW = 1_700_000_000_000_000
CALM, MOVED = (MachineDrift(NOW, {"m.x": (psi, 0.25), "m.y": (0.01, 0.4)}, 0.011, 0.01) for psi in (0.1, 0.3))
MACHINES = tuple(f"m{i}" for i in range(6))


def over_the_wire(news: DriftNews) -> DriftNews | None:
    """As the uplink writes it and the site reads it."""
    return told_models(msgspec.json.encode({"status": {}, "drift": news}))[2]


class Site:
    """planned: machines of which the gateway should hold models."""

    def __init__(self) -> None:
        self.drift, self.planned = GatewayDrift(), frozenset(MACHINES)

    def answer(self, news: DriftNews | None) -> dict[str, object]:
        told = None if news is None else over_the_wire(news)
        return {"time": NOW, "models": "", "drift": self.drift.told("gw", told, self.planned)}

    def knows(self) -> dict[str, MachineDrift]:
        return {m: told[1] for m in MACHINES if (told := self.drift.of(m)) is not None}


class Telling(RuleBasedStateMachine):
    """Whatever is judged, lost or restarted: some heartbeats later the site knows what is judged now, within what is
    too little to be told. After a refusal some minutes pass before that."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.judged, self.site = NOW, dict[str, MachineDrift](), Site()
        self.start_gateway()

    @rule()
    def start_gateway(self) -> None:
        self.now += MINUTE
        self.judged.clear()
        self.teller = DriftTeller(lambda: self.judged, lambda: self.now)

    @rule()
    def start_site(self) -> None:
        self.site = Site()

    @rule(machine=st.sampled_from(MACHINES), psi=st.floats(0, 9), width=st.integers(1, 700), later=st.booleans())
    def judge(self, machine: str, psi: float, width: int, later: bool) -> None:
        self.now += HOUR if later else 10 * MINUTE
        signals = {f"{machine}.{i}": (psi, 0.25 + i) for i in range(width)}
        self.judged[machine] = MachineDrift(self.now, signals, min(psi / 9, 1.0), 0.01)

    @rule(machine=st.sampled_from(MACHINES))
    def end(self, machine: str) -> None:
        self.judged.pop(machine, None)

    @rule(reaches=st.booleans())
    def lose(self, reaches: bool) -> None:
        """A heartbeat that does not come, or whose answer does not."""
        news = self.teller.told()
        if reaches:
            self.site.answer(news)

    @rule()
    def be_refused(self) -> None:
        self.teller.told()
        self.teller.heard({})

    @rule(planned=st.frozensets(st.sampled_from(MACHINES)))
    def plan(self, planned: frozenset[str]) -> None:
        self.site.planned = planned

    @rule()
    def beat(self) -> None:
        self.teller.heard(self.site.answer(self.teller.told()))

    @rule()
    def settle(self) -> None:
        self.now += 10 * MINUTE
        self.site.planned = frozenset(MACHINES)
        for _ in range(len(MACHINES) + 3):
            self.beat()
        assert self.teller.told() is None
        known = self.site.knows()
        assert known.keys() == self.judged.keys()
        for machine, judged in self.judged.items():
            assert drift_to_tell(judged, known[machine]) is None


class TestTelling(Telling.TestCase):
    settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


def test_a_site_of_before_is_told_nothing_and_a_newer_one_all_when_something_changes() -> None:
    judged = {"m0": CALM}
    teller, site = DriftTeller(lambda: judged, lambda: NOW), Site()
    for _ in range(3):
        assert teller.told() is None
        teller.heard({"time": NOW, "models": "", "held": ""})
    teller.heard(site.answer(None))
    judged["m1"] = MOVED
    teller.heard(site.answer(teller.told()))
    assert site.knows() == {"m0": CALM, "m1": MOVED}


def test_a_site_that_takes_none_of_it_is_not_told_the_same_again() -> None:
    judged = {"m0": CALM}
    teller, site = DriftTeller(lambda: judged, lambda: NOW), Site()
    teller.heard(site.answer(None))
    assert teller.told() is not None
    teller.heard({})
    teller.heard(site.answer(teller.told()))
    assert teller.told() is None


def test_a_site_that_was_restarted_since_is_told_at_once_and_the_same_one_after_minutes() -> None:
    judged, now = {"m0": CALM}, [NOW]
    teller, site = DriftTeller(lambda: judged, lambda: now[0]), Site()
    teller.heard(site.answer(None))
    teller.heard(site.answer(teller.told()))
    judged["m0"] = MOVED
    assert teller.told() is not None
    teller.heard({})
    site = Site()
    teller.heard(site.answer(teller.told()))  # it has to say first what it knows
    teller.heard(site.answer(teller.told()))
    assert site.knows() == {"m0": MOVED}
    judged["m0"] = CALM
    assert teller.told() is not None
    teller.heard({})
    for minutes, is_told in ((0, False), (9, False), (1, True)):
        now[0] += minutes * MINUTE
        teller.heard(site.answer(teller.told()))
        assert (site.knows() == {"m0": CALM}) == is_told


def test_a_heartbeat_stays_short() -> None:
    """Of a thousand machines some forty at a time; of one that has very many signals those that are farthest."""
    judged = {
        f"m{i}": MachineDrift(NOW, {f"m{i}.signal{c}": (i / 7 + c / 3, 0.25) for c in range(24)}, 0.1234567, 0.01)
        for i in range(1_000)
    }
    teller, site = DriftTeller(lambda: judged, lambda: NOW), GatewayDrift()
    teller.heard({"drift": site.told("gw", None, judged)})
    beats = 0
    while (news := teller.told()) is not None:
        beats += 1
        assert len(msgspec.json.encode(news)) < 50_000
        teller.heard({"drift": site.told("gw", over_the_wire(news), judged)})
    assert beats == 25
    assert all(site.of(machine) for machine in judged)
    wide = drift_to_tell(MachineDrift(NOW, {f"s{c}": (float(c), 1.0) for c in range(900)}), None)
    assert wide is not None
    assert list(wide.signals)[:2] == ["s899", "s898"]
    assert len(wide.signals) == 200


@pytest.mark.parametrize(
    ("later", "is_told"),
    [
        (replace(CALM, at=NOW + 10 * MINUTE), False),
        (replace(CALM, at=NOW + HOUR), True),
        (replace(CALM, at=NOW - 1), True),  # the clock went back
        (replace(CALM, signals={"m.x": (0.12, 0.25), "m.y": (0.01, 0.4)}), False),
        (replace(CALM, signals={"m.x": (0.13, 0.25), "m.y": (0.01, 0.4)}), True),
        (replace(CALM, signals={"m.x": (0.1, 0.26), "m.y": (0.01, 0.4)}), True),
        (replace(CALM, signals={"m.x": (0.1, 0.25)}), True),
        (replace(CALM, over=0.0115), False),
        (replace(CALM, over=0.013), True),
        (replace(CALM, over=None, usual=None), True),
    ],
)
def test_what_hardly_moves_is_told_once_an_hour(later: MachineDrift, is_told: bool) -> None:
    told = drift_to_tell(CALM, None)
    assert told == CALM
    assert (drift_to_tell(later, told) is not None) == is_told


def test_what_comes_before_the_plan_is_there_when_the_plan_is() -> None:
    site = GatewayDrift()
    site.told("gw", DriftNews(0, 5, {"m0": CALM}), {"m1"})
    assert site.of("m0") is None
    site.told("gw", None, {"m0", "m1"})
    assert site.of("m0") == ("gw", CALM)


def test_only_what_was_judged_of_the_version_that_acts_counts() -> None:
    site = GatewayDrift()
    site.told("gw", DriftNews(0, 5, {"m0": CALM}), {"m0"})  # of nobody knows which
    assert site.of("m0", "new", NOW) == ("gw", CALM)
    assert site.of("m0", "new", NOW + 1) is None
    older = replace(MOVED, at=NOW - HOUR)
    site.told("other", DriftNews(0, 5, {"m0": older}), {"m0"}, {"m0": "new"})
    assert site.of("m0", "new", NOW + 1) == ("other", older)
    site.told("other", None, {"m0"}, {"m0": "newest"})
    assert site.of("m0", "newest", NOW + 1) is None


def test_a_gateway_that_invents_costs_no_more_than_its_signals() -> None:
    """Of its own signals, 200 a machine, as the plant writes them; no time is later than the latest."""
    own = {"m0": [f"m0.{i}" for i in range(300)]}
    told = {"m0": replace(CALM, at=NOW + HOUR, signals={f"m0.{i}": (i / 9, 1.0) for i in range(400)})}
    told |= {f"m{i}": CALM for i in range(1, 50)} | {"m50": replace(CALM, signals={})}
    kept = bounded(DriftNews(0, 5, {**told, "m51": None}), lambda asset_id: own.get(asset_id, []), NOW).machines
    assert {asset_id for asset_id, drift in kept.items() if drift is not None} == {"m0"}
    machine = kept["m0"]
    assert machine is not None
    assert (machine.at, list(machine.signals)) == (NOW, [f"m0.{i}" for i in range(299, 99, -1)])
    assert all(any(signal is mine for mine in own["m0"]) for signal in machine.signals)
    assert bounded(DriftNews(0, 5, {"m0": MachineDrift(1)}), lambda _: own["m0"], NOW).machines == {"m0": None}


def test_of_machines_that_are_not_its_own_a_gateway_is_not_believed() -> None:
    site = GatewayDrift()
    site.told("gw", DriftNews(0, 5, {"m0": CALM, "m1": CALM}), {"m0"})
    assert (site.of("m0"), site.of("m1")) == (("gw", CALM), None)
    newer = replace(MOVED, at=NOW + 1)
    site.told("other", DriftNews(0, 5, {"m0": newer}), {"m0"})
    assert site.of("m0") == ("other", newer)
    assert site.told("other", None, ()) == 5  # it collects the machine no more
    assert site.of("m0") == ("gw", CALM)
    site.forget("gw")
    assert site.of("m0") is None


@pytest.mark.parametrize(
    "news",
    [
        {"since": 5, "until": 4},
        {"since": -1, "until": 4},
        {"since": 0, "until": 4, "machines": {"m" * 201: None}},
        {"since": 0, "until": 4, "machines": {f"m{i}": None for i in range(10_001)}},
        {"since": 0, "until": 4, "machines": {"m": {"at": 1, "signals": {"m.x": [-0.1, 0.25]}}}},
        {"since": 0, "until": 4, "machines": {"m": {"at": 1, "signals": {"m.x": [0.1]}}}},
        {"since": 0, "until": 4, "machines": {"m": {"at": 1, "signals": {"m" * 201: [0.1, 0.2]}}}},
        {"since": 0, "until": 4, "machines": {"m": {"at": 1, "over": 1.1}}},
        {"since": 0, "until": 4, "machines": {"m": {"at": -1}}},
        {"since": 0, "until": 4, "machines": {"m": {"at": 1, "over": 0.5}}},
        {"since": 0, "until": 4, "machines": {"m": {"at": 1, "usual": 0.5}}},
        {"until": 4},
    ],
)
def test_what_cannot_be_is_refused(news: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        told_models(msgspec.json.encode({"drift": news}))
    assert told_models(b"{}")[2] is None  # a gateway of before
