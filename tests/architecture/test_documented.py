"""What a user can set or plug in is documented, or the build fails."""

import json
import re
import shlex
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from forewarn.app.cli import app
from forewarn.app.plant import read_plant
from forewarn.app.settings import Settings
from forewarn.domain.conditions import ConditionCode

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
CONNECTORS = ROOT / "src/forewarn/plugins/connectors"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md")), *sorted(CONNECTORS.rglob("*.md"))]
COMMAND = re.compile(r"`(?:forewarn|make) [^`\n]+`|^ *(?:forewarn|make) .+$", re.MULTILINE)


def plant_blocks() -> list[Any]:
    """TOML in the documents that describes a plant, and the connectors' samples."""
    found = [
        pytest.param(block[1], id=f"{page.relative_to(ROOT)}:{page.read_text()[: block.start()].count(chr(10)) + 1}")
        for page in PAGES
        for block in re.finditer(r"```toml\n(.*?)```", page.read_text(), re.DOTALL)
        if re.search(r"^\[\[(asset|source)\]\]", block[1], re.MULTILINE)
    ]
    samples = sorted(CONNECTORS.rglob("sample.toml"))
    return found + [pytest.param(file.read_text(), id=str(file.relative_to(ROOT))) for file in samples]


def commands(program: str) -> list[Any]:
    """`forewarn ...` or `make ...` in the documents, as words."""
    lines = [(page, found[0].strip("` ")) for page in PAGES for found in COMMAND.finditer(page.read_text())]
    return [
        pytest.param(shlex.split(line, comments=True)[1:], id=f"{page.relative_to(ROOT)}: {line}")
        for page, line in lines
        if line.startswith(f"{program} ")
    ]


def test_every_setting_is_documented() -> None:
    text = (DOCS / "operations/settings.md").read_text()
    assert not [name for name in Settings.model_fields if f"`FOREWARN_{name.upper()}`" not in text]


def test_every_command_is_documented() -> None:
    text = (DOCS / "operations/commands.md").read_text()
    commands = getattr(get_command(app), "commands", {})
    assert commands
    assert not [name for name in commands if f"`forewarn {name}" not in text]


def test_every_state_of_a_gateway_is_documented() -> None:
    """Each once, in the table of what can be wrong; and none that there is not."""
    page = (DOCS / "operations/gateway.md").read_text()
    table = page.partition("## When something is wrong")[2].partition("\n## ")[0]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(code.value for code in ConditionCode)


def test_every_route_is_documented() -> None:
    """With its verb, in the words `GET /api/v1/things/{id}`; and so is none that there is not."""
    page = (DOCS / "api.md").read_text()
    told = {(verb, _anonymous(path)) for verb, path in re.findall(r"`([A-Z]+) (/[^`?\s]*)", page)}
    routes = {
        (verb.upper(), _anonymous(path))
        for path, verbs in json.loads((DOCS / "openapi.json").read_text())["paths"].items()
        for verb in verbs
    }
    assert len(routes) > 50
    assert sorted(routes - told) == []
    assert sorted(route for route in told - routes if route[1].startswith("/api/")) == []


def _anonymous(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)


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


@pytest.mark.parametrize("text", plant_blocks())
def test_every_plant_that_is_shown_can_be_applied(text: str, tmp_path: Path) -> None:
    file = tmp_path / "plant.toml"
    file.write_text(text)
    plant = read_plant(file)
    assert plant.assets or plant.sources


@pytest.mark.parametrize("words", commands("forewarn"))
def test_every_command_that_is_shown_exists(words: list[str]) -> None:
    command: Any = get_command(app)
    while (known := getattr(command, "commands", None)) is not None and words and not words[0].startswith("-"):
        assert words[0] in known
        command, words = known[words[0]], words[1:]
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if word.startswith("-")} <= options | {"--help"}


@pytest.mark.parametrize("words", commands("make"))
def test_every_make_target_that_is_shown_exists(words: list[str]) -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert words[0] in targets


def test_something_is_shown() -> None:
    assert len(plant_blocks()) >= 5
    assert len(commands("forewarn")) >= 10
    assert commands("make")
