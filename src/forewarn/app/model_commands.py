"""`forewarn models`: champions, cards, promotion and roll-back from the command line of the site's machine."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from forewarn.app.access_words import existing_catalog
from forewarn.app.model_words import age, card_lines, percent, shift_words, threshold_lines
from forewarn.app.settings import Settings
from forewarn.app.site_catalog import local_deed
from forewarn.app.site_thresholds import thresholds_beside
from forewarn.app.terminal import say
from forewarn.catalog import Catalog
from forewarn.contracts.model_registry import ModelRegistry
from forewarn.domain.audit import AuditAction
from forewarn.domain.errors import ForewarnError, InvalidInput, NotFound
from forewarn.domain.model_versions import ModelState, ModelVersion
from forewarn.jobs.training.run import promoted
from forewarn.kit.clock import now_us
from forewarn.policies.rollout import OPEN


def list_models(settings: Settings, console: Console) -> None:
    """Every machine that has a model: its champion, and what waits to take its place."""
    with existing_catalog(settings) as catalog:
        champions, waiting = catalog.models.champions(), catalog.models.find(None, OPEN, 10_000)
    beside = {version.asset_id: version for version in reversed(waiting)}
    if not champions and not beside:
        say("No model yet: `forewarn train --all`.", to=console)
        return
    table = Table()
    for name in ("machine", "champion", "age", "rows", "over it", "smallest shift", "challenger"):
        table.add_column(name, no_wrap=name in ("machine", "champion"))
    for asset_id in sorted({*champions, *beside}):
        table.add_row(asset_id, *_champion(champions.get(asset_id)), _challenger(beside.get(asset_id)))
    console.print(table)


def _champion(version: ModelVersion | None) -> Sequence[str]:
    if version is None:
        return ["none", "", "", "", ""]
    metrics = version.card.metrics
    return [
        version.id[:12],
        age(version.created_at, now_us()),
        f"{version.card.rows:,}",
        percent(metrics.get("over_threshold")),
        shift_words(metrics),
    ]


def _challenger(version: ModelVersion | None) -> str:
    return "" if version is None else f"{version.id[:12]} ({version.state.value})"


def show_model(settings: Settings, model: str, console: Console) -> None:
    with existing_catalog(settings) as catalog:
        version = whole(catalog.models, model)
        for line in (*card_lines(version), *_thresholds(settings, catalog, version)):
            say(line, to=console)


def _thresholds(settings: Settings, catalog: Catalog, version: ModelVersion) -> Iterator[str]:
    """Of what acts or may. What the running site alone knows, it is to be asked for."""
    if version.state not in OPEN | {ModelState.CHAMPION} or version.bytes_deleted_at is not None:
        return
    try:
        yield from threshold_lines(thresholds_beside(settings, catalog, version))
    except ForewarnError as error:
        yield f"threshold: not known, as the model cannot be read: {error}"
    if version.state is ModelState.CHAMPION:
        asked = f"GET /api/v1/assets/{version.asset_id}/model"
        yield f"drift, every step of the threshold and the next training: the machine's page, or {asked}"


def promote(settings: Settings, model: str, reason: str, console: Console) -> None:
    """Champion of its machine, by hand."""
    with existing_catalog(settings) as catalog:
        version = whole(catalog.models, model)
        by = local_deed(AuditAction.MODEL_CHANGED, version.asset_id).actor
        catalog.models.promote(version.id, lambda was, now: promoted(by, was, now, reason))
    say(f"{version.id[:12]} is the champion of {version.asset_id} now.", to=console)


def roll_back_machine(settings: Settings, asset_id: str, reason: str, console: Console) -> None:
    """The model before acts again, if there was one."""
    with existing_catalog(settings) as catalog:
        champion = catalog.models.champions().get(asset_id)
        if champion is None:
            raise NotFound(f"{asset_id} has no champion to take back")
        by = local_deed(AuditAction.MODEL_CHANGED, asset_id).actor
        again = catalog.models.demote(champion.id, reason, lambda was, now: promoted(by, was, now, reason))
    then = "no model acts on it" if again is None else f"{again.id[:12]} acts again"
    say(f"{champion.id[:12]} was taken back from {asset_id}: {then}.", to=console)


def whole(registry: ModelRegistry, model: str) -> ModelVersion:
    """By its id or the beginning of it. Raises NotFound, InvalidInput (two begin so)."""
    if len(model) == 64:
        return registry.get(model)
    found = [version for version in registry.find(limit=100_000) if version.id.startswith(model)] if model else []
    if not found:
        raise NotFound(f"there is no model {model!r}: see `forewarn models list`")
    if len(found) > 1:
        raise InvalidInput(f"{len(found)} models begin with {model!r}: give more of the id")
    return found[0]
