"""A suite that fails by chance says nothing of the change it was run for."""

import os
import re
import subprocess
from pathlib import Path

from hypothesis import settings

ROOT = Path(__file__).parents[2]


def test_the_ordinary_suite_draws_the_same_examples_each_run() -> None:
    assert settings.default is not None
    assert settings.default.derandomize == (os.environ.get("FOREWARN_EXAMPLES", "same") == "same")
    assert settings.default.print_blob


def test_only_the_long_suites_search_for_rare_ones() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "FOREWARN_EXAMPLES"}
    asked = subprocess.run(
        ["make", "-pnq", "test", "test-all"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    set_for = re.findall(r"^([\w-]+): FOREWARN_EXAMPLES = random$", asked.stdout, re.MULTILINE)
    assert sorted(set_for) == ["test-all", "test-nightly"], asked.stderr
