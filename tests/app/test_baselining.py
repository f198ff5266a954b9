"""A real site tells which machines it is still learning."""

import time
from pathlib import Path

import numpy as np

from forewarn.api.assets import get_asset
from forewarn.app.settings import Settings
from forewarn.app.wiring import Site, open_site
from forewarn.catalog import open_catalog
from forewarn.domain.assets import Asset, Plant, Signal
from forewarn.domain.readings import ReadingBatch
from forewarn.kit.clock import SECOND, now_us
from forewarn.policies.rules import default_rules

PLANT = Plant(
    (Asset("p1", "Pump 1", ("e", "s", "a", "l")),),
    tuple(Signal(f"p1.{name}", "p1", name, "flow", "m3/h") for name in ("a", "b", "c")),
)


def settings(directory: Path) -> Settings:
    made = Settings(directory=directory)
    made.make_directory()
    with open_catalog(made.catalog_url) as catalog:
        catalog.plant.apply(PLANT, default_rules(PLANT))
    return made


def settle(site: Site) -> None:
    """Wait until the line has dealt with all that was acknowledged."""
    until = time.monotonic() + 60
    while site.line.health().last_offset < site.log.depth().last_offset:
        assert time.monotonic() < until, site.line.health()
        time.sleep(0.01)


def send(site: Site, name: str, seconds: int, sequence: int) -> None:
    """`seconds` of healthy readings at 1 Hz up to now."""
    key = site.plant.table.key_of[f"p1.{name}"]
    at = now_us() + (np.arange(seconds, dtype=np.int64) - seconds + 1) * SECOND
    value = np.random.default_rng(key).normal(50, 0.2, seconds)
    batch = ReadingBatch(np.full(seconds, key, np.int32), at, value, np.zeros(seconds, np.uint32), "gw", sequence)
    site.door.submit(batch).appended.result(30)
    settle(site)


def told(site: Site) -> tuple[str, str, list[bool]]:
    """Condition, reason, and which signals are being learnt."""
    asset = get_asset("p1", site.app.state.parts)
    return asset.condition, asset.reason, [s.learning for s in asset.signals]


def test_a_machine_is_baselining_until_most_of_its_signals_are_known(tmp_path: Path) -> None:
    with open_site(settings(tmp_path / "site")) as site:
        assert told(site)[0] == "no_data"
        send(site, "a", 20, 1)
        assert told(site) == ("baselining", "learning what is normal: 0 of 1 signals known", [True, False, False])
        send(site, "b", 600, 2)
        assert told(site) == (
            "normal",
            "all signals within limits; 1 of 2 still learning what is normal",
            [True, False, False],
        )
        send(site, "a", 600, 3)  # late: what is older than what was seen teaches nothing
        assert told(site)[2] == [True, False, False]
    with open_site(settings(tmp_path / "site")) as again:
        assert told(again) == ("normal", "all signals within limits", [False, False, False])
