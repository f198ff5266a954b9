"""Bad days that take minutes each, on a plant of their own: other damage to files, clocks that are behind."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.bad_days import Plant, named_and_over
from tests.journeys.bad_plant import nothing_missing
from tests.journeys.worse_days import MORE_HARMS, Damage, Slowly, still_sound

pytestmark = [pytest.mark.timeout(900), pytest.mark.slow]


def _alone(tmp_path: Path, running: ExitStack, story: Callable[[Plant], Any]) -> Any:
    """A story on a plant of its own, told to its end."""
    plant = Plant(tmp_path, running)
    made = story(plant)
    running.callback(plant.site.stop)
    plant.site.apply(made.gateway.file)
    plant.site.start()
    running.callback(made.gateway.end, 9)
    made.story()
    return made


@pytest.mark.parametrize("harm", MORE_HARMS)
def test_other_damage_is_told_as_well(tmp_path: Path, harm: str) -> None:
    with ExitStack() as running:
        still_sound(_alone(tmp_path, running, lambda plant: Damage(plant, [harm])), harm)


def test_clocks_that_are_behind(tmp_path: Path) -> None:
    with ExitStack() as running:
        slowly: Slowly = _alone(tmp_path, running, Slowly)
        for told, states in (
            (slowly.device, {("broker", "clock_wrong")}),
            (slowly.own, {("site", "clock_wrong"), ("server", "clock_wrong")}),
        ):
            assert told.seen == "one state"
            for state in states:
                named_and_over(told, state)
        for signal_id in ("p6.recorded", "p6.published"):
            nothing_missing(slowly.gateway.site, signal_id)
