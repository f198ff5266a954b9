"""`forewarn models`: champions, cards, promotion and roll-back from the command line of the site's machine."""

from collections.abc import Sequence
from secrets import token_hex

from rich.console import Console
from rich.table import Table

from forewarn.app.access_words import existing_catalog
from forewarn.app.model_words import age, card_lines, percent, shift_words
from forewarn.app.settings import Settings
from forewarn.app.site_catalog import local_deed
from forewarn.app.terminal import say
from forewarn.contracts.model_registry import ModelRegistry
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.errors import InvalidInput, NotFound
from forewarn.domain.model_versions import ModelState, ModelVersion
from forewarn.domain.rollouts import RollbackReason, Rollout
from forewarn.jobs.training.run import promoted
from forewarn.kit.clock import now_us
from forewarn.policies.rollout import OPEN, begin, roll_back


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
        for line in card_lines(whole(catalog.models, model)):
            say(line, to=console)


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


def start_rollout(settings: Settings, assets: Sequence[str], share: float, console: Console) -> None:
    """The newest candidate of each machine (all that have one where none is named, but for those that were set aside),
    into the shadow together."""
    with existing_catalog(settings) as catalog:
        registry, now = catalog.models, now_us()
        waiting = [v for v in registry.find(None, {ModelState.CANDIDATE}, 10_000) if v.bytes_deleted_at is None]
        found = {v.asset_id: v.id for v in reversed(waiting) if v.asset_id in assets or not v.reason}
        if missing := [asset for asset in assets if asset not in found]:
            raise NotFound(f"no candidate of {', '.join(missing)}: train one first (`forewarn train {missing[0]}`)")
        versions = {asset: found[asset] for asset in (assets or sorted(found))}
        if not versions:
            raise InvalidInput("there is no candidate: train first (`forewarn train --all`)")
        rollout = Rollout(token_hex(6), versions, now, since=now, share=share)
        registry.start(rollout, _deed(rollout.id, None, ModelState.CANDIDATE))
        registry.change_rollout(rollout.id, lambda r: begin(r, now), lambda a, b: _deed(a.id, a.state, b.state))
    say(f"Rollout {rollout.id}: {len(versions)} models score in the shadow of their champions now.", to=console)


def list_rollouts(settings: Settings, console: Console) -> None:
    with existing_catalog(settings) as catalog:
        rollouts = catalog.models.rollouts()
    for rollout in rollouts:
        why = f", {rollout.reason.value.replace('_', ' ')}: {rollout.note}" if rollout.reason is not None else ""
        since = age(rollout.since, now_us())
        say(f"{rollout.id}  {len(rollout.versions)} machines  {rollout.state.value} for {since}{why}", to=console)
    if not rollouts:
        say("No rollout yet: `forewarn models rollout start`.", to=console)


def stop_rollout(settings: Settings, rollout_id: str, reason: str, console: Console) -> None:
    """The champions before act again."""
    now = now_us()
    with existing_catalog(settings) as catalog:
        catalog.models.change_rollout(
            rollout_id,
            lambda rollout: roll_back(rollout, RollbackReason.BY_HAND, reason, now),
            lambda a, b: _deed(a.id, a.state, b.state, reason),
        )
    say(f"Rollout {rollout_id} was rolled back.", to=console)


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


def _deed(rollout_id: str, before: ModelState | None, after: ModelState, why: str = "") -> Deed:
    was = None if before is None else {"state": before.value}
    return local_deed(
        AuditAction.MODEL_CHANGED, f"rollout {rollout_id}", before=was, after={"state": after.value}, why=why
    )
