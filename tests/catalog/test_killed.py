"""What was answered is there after kill -9, whole: standing, journal and offset together."""

import subprocess
import sys

from tests.catalog.plants import plant, rule

from forewarn.catalog import open_catalog

_JUDGE = """
import sys
from forewarn.catalog import open_catalog
from tests.catalog.test_alarms import KEY, raise_it
with open_catalog(sys.argv[1]) as catalog:
    for offset in range(catalog.offsets.get("judge") + 1, 1_000_000):
        catalog.alarms.change_all([(KEY, raise_it)], "judge", offset)
        print(offset, flush=True)
"""


def test_a_killed_judge_leaves_whole_transactions(url: str) -> None:
    with open_catalog(url) as catalog:
        catalog.plant.apply(plant("p1"), [rule("p1")])
    answered = 0
    for more in (3, 17, 40):
        judge = subprocess.Popen([sys.executable, "-c", _JUDGE, url], stdout=subprocess.PIPE, text=True)
        assert judge.stdout is not None
        with open_catalog(url) as catalog:
            behind = catalog.offsets.get("judge")
        for line in judge.stdout:
            answered = max(answered, int(line))
            if answered >= behind + more:
                break
        judge.kill()
        answered = max([answered, *(int(line) for line in judge.stdout if line.strip())])
        judge.wait()
        with open_catalog(url) as catalog:
            count = catalog.alarms.get(("p1", "vibration-high")).status.occurrences
            assert count == len(catalog.alarms.journal(("p1", "vibration-high"), limit=10_000))
            assert count == catalog.offsets.get("judge")
            assert count >= answered >= more
