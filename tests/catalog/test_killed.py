"""What was answered is there after kill -9, whole: standing, journal and offset together."""

import subprocess
import sys
from pathlib import Path

from forewarn.catalog import Catalog, open_catalog
from tests.catalog.plants import plant, rule

KEY = ("p1", "vibration-high")
ROOT = Path(__file__).parents[2]
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
        judge = subprocess.Popen([sys.executable, "-c", _JUDGE, url], cwd=ROOT, stdout=subprocess.PIPE, text=True)
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
            count, journal, offset = _settled(catalog)
        assert count == journal == offset
        assert count >= answered >= more


def _settled(catalog: Catalog) -> tuple[int, int, int]:
    """Standing, journal and offset once a server has finished what the killed client had sent."""
    before = (-1, -1, -1)
    while True:
        count = catalog.alarms.get(KEY).status.occurrences
        now = (count, len(catalog.alarms.journal(KEY, limit=10_000)), catalog.offsets.get("judge"))
        if now == before:
            return now
        before = now
