"""`forewarn apply`: from plant files to the catalog, with the plan shown first."""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.prompt import Confirm

from forewarn.app.settings import Settings
from forewarn.app.settings_reading import read_settings
from forewarn.app.site_catalog import local_deed, open_site_catalog
from forewarn.app.source_settings import source_faults
from forewarn.app.terminal import say
from forewarn.catalog import Catalog, CatalogState, catalog_state, open_catalog
from forewarn.domain.assets import Change, Plant
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.errors import ConfigurationError
from forewarn.policies.gateway_file import parse_gateway
from forewarn.policies.plant_file import open_file, parse_plant
from forewarn.policies.plant_merge import PlantPart, merged
from forewarn.policies.rules import default_rules

_MOST_NAMED = 20
_MARK = {"added": "[green]+[/]", "changed": "[yellow]~[/]", "removed": "[red]-[/]"}


def read_plant(path: Path) -> Plant:
    """The plant a file describes. Raises ConfigurationError listing every mistake with its line."""
    return parse_plant(_text(path), str(path), validate_source=source_faults)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot be read: {error}", where=str(path)) from error


def read_plants(paths: Sequence[Path]) -> Plant:
    """The plant that several files describe together, gateways' files among them. Raises ConfigurationError."""
    if len(set(paths)) < len(paths):
        raise ConfigurationError(f"the same file is given twice: {', '.join(map(str, paths))}")
    return merged([_part(path) for path in paths])


def _part(path: Path) -> PlantPart:
    text, file = _text(path), str(path)
    if not open_file(text, file).has("gateway"):
        return PlantPart(file, parse_plant(text, file, validate_source=source_faults))
    gateway, plant = parse_gateway(text, file, validate_source=source_faults)
    return PlantPart(file, plant, gateway.name)


def apply_plant_files(settings: Settings, paths: Sequence[Path], plan_only: bool, yes: bool, console: Console) -> bool:
    """Show the plan; apply it unless `plan_only` or the user declines. True when the catalog equals the files."""
    plant, named = read_plants(paths), ", ".join(map(str, paths))
    if not plant.assets:
        say(f"{named} describes no asset.", to=console)
    rules = default_rules(plant)
    with _planning(settings) if plan_only else _applying(settings) as catalog:
        plan = catalog.plant.plan(plant, rules)
        show_plan(plan, console)
        if not plan:
            return True
        if plan_only:
            return False
        removed = sum(change.action == "removed" for change in plan)
        if removed and not yes and not _confirmed(removed, console):
            console.print("Nothing was changed.")
            return False
        catalog.plant.apply(plant, rules, lambda changes: applied(named, changes))
    say(f"Applied. A running site takes it over by itself; `forewarn serve{_option(settings)}` starts one.", to=console)
    return True


def applied(file: str, changes: Sequence[Change]) -> Deed:
    """The audit log keeps the first changes by name, and how many there were."""
    named = [f"{c.action} {c.what} {c.id}" for c in changes[:_MOST_NAMED]]
    return local_deed(AuditAction.PLANT_APPLIED, file, after={"changes": len(changes), "first": named})


def _option(settings: Settings) -> str:
    return "" if settings == read_settings() else f" --directory {settings.directory}"


def _applying(settings: Settings) -> Catalog:
    return open_site_catalog(settings)


@contextlib.contextmanager
def _planning(settings: Settings) -> Iterator[Catalog]:
    """A plan makes nothing: where there is no catalog yet, it is drawn against an empty one that is thrown away."""
    if catalog_state(settings.catalog_url) is not CatalogState.MISSING:
        with open_catalog(settings.catalog_url) as catalog:
            yield catalog
        return
    with tempfile.TemporaryDirectory() as folder, open_catalog(f"sqlite:///{folder}/catalog.db") as catalog:
        yield catalog


def _confirmed(removed: int, console: Console) -> bool:
    try:
        return Confirm.ask(f"{removed} to remove. Apply?", console=console, default=False)
    except EOFError:
        raise ConfigurationError(f"{removed} to remove and nobody to ask: say --yes if that is meant") from None


def show_plan(plan: Sequence[Change], console: Console, most: int = 200) -> None:
    """One line a change; a long plan is cut, its counts are complete."""
    if not plan:
        console.print("The catalog already equals the file.")
        return
    for change in plan[:most]:
        detail = f"  [dim]{escape(change.detail)}[/]" if change.detail else ""
        line = f"{_MARK[change.action]} {change.what} {escape(change.id)}{detail}"
        console.print(line, highlight=False, soft_wrap=True)
    if len(plan) > most:
        console.print(f"... and {len(plan) - most} more")
    counts = {action: sum(change.action == action for change in plan) for action in _MARK}
    console.print(", ".join(f"{n} {action}" for action, n in counts.items()))
