"""What a user can set or plug in is documented, or the build fails."""

import re
from importlib.metadata import entry_points
from pathlib import Path

from typer.main import get_command

from forewarn.app.cli import app
from forewarn.app.settings import Settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def test_every_setting_is_documented() -> None:
    text = (DOCS / "operations/settings.md").read_text()
    assert not [name for name in Settings.model_fields if f"`FOREWARN_{name.upper()}`" not in text]


def test_every_command_is_documented() -> None:
    text = (DOCS / "operations/commands.md").read_text()
    commands = getattr(get_command(app), "commands", {})
    assert commands
    assert not [name for name in commands if f"`forewarn {name}" not in text]


def test_every_connector_has_readme_and_sample() -> None:
    folder = ROOT / "src/forewarn/plugins/connectors"
    names = [point.name for point in entry_points(group="forewarn.connectors")]
    assert names
    assert not [n for n in names for f in ("README.md", "sample.toml") if not (folder / n / f).is_file()]


def test_every_detector_is_documented() -> None:
    text = (DOCS / "plugins/detectors.md").read_text()
    assert not [p.name for p in entry_points(group="forewarn.detectors") if f"`{p.name}`" not in text]


def test_links_in_docs_lead_somewhere() -> None:
    broken = []
    for page in [*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]:
        targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
        local = [t for t in targets if not t.startswith(("http", "mailto:"))]
        broken += [f"{page.relative_to(ROOT)} -> {t}" for t in local if not (page.parent / t).exists()]
    assert not broken
