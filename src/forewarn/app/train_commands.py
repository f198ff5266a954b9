"""`forewarn train`: a job of training done here, with a bar, and what came of it as a table."""

from collections.abc import Sequence

from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table
from rich.text import Text

from forewarn.app.access_words import existing_catalog
from forewarn.app.model_words import as_number, percent, regimes_words, shift_words
from forewarn.app.settings import Settings
from forewarn.app.site_catalog import local_deed
from forewarn.app.site_training import training_beside
from forewarn.app.terminal import say
from forewarn.catalog import Catalog
from forewarn.domain.audit import AuditAction
from forewarn.domain.errors import InvalidInput
from forewarn.domain.jobs import ItemState, Job, JobItem
from forewarn.jobs.training.run import TrainingRuns, training_job
from forewarn.jobs.training.template_pass import Phase
from forewarn.kit.clock import now_us

_STYLE = {ItemState.DONE: "green", ItemState.NOT_ENOUGH: "yellow", ItemState.FAILED: "red"}


def train(
    settings: Settings,
    assets: Sequence[str],
    everything: bool,
    days: float,
    workers: int | None,
    promote: bool | None,
    console: Console,
    progress: Progress,
) -> bool:
    """False where a machine failed; too little data is no failure. Without machines: what an earlier run left."""
    with existing_catalog(settings) as catalog, training_beside(settings, catalog, workers) as (runs, plant):
        named = list(plant.assets) if everything else list(assets)
        if not named:
            return _went_on(catalog, runs, console, progress)
        rule = {None: "first", True: "always", False: "never"}[promote]
        deed = local_deed(AuditAction.COMMAND_GIVEN, "training", after={"assets": named[:100], "days": days})
        job = catalog.jobs.add(training_job(named, deed.actor, now_us(), days, rule), deed)
        return _done(catalog, runs, job, console, progress)


def _went_on(catalog: Catalog, runs: TrainingRuns, console: Console, progress: Progress) -> bool:
    left = [job for job in catalog.jobs.find("train") if job.ended_at is None]
    if not left:
        raise InvalidInput("name the machines to train, or all of them: forewarn train --all")
    say(f"Going on with job {left[-1].id}, {left[-1].done} of {len(left[-1].items)} done", to=console)
    return _done(catalog, runs, left[-1], console, progress)


def _done(catalog: Catalog, runs: TrainingRuns, job: Job, console: Console, progress: Progress) -> bool:
    with progress:
        task = progress.add_task("machines", total=len(job.items), completed=job.done)
        shared: dict[tuple[str, str], TaskID] = {}

        def tick(item: JobItem) -> None:
            progress.update(task, advance=1, description=item.asset_id)
            if item.state is not ItemState.DONE:
                progress.console.print(Text(f"{item.asset_id}: {item.text}", _STYLE.get(item.state, "")))

        def told(phase: Phase) -> None:
            """A bar for each step of what a template's machines share, before the one of the machines."""
            if not phase.template:
                return
            step = (phase.template, phase.what)
            if step not in shared:
                shared[step] = progress.add_task(f"{phase.template}: {phase.what}", total=phase.of)
            progress.update(shared[step], completed=phase.done)

        ended = runs.run(job.id, tick, told=told)
    if ended is None:
        say(f"Job {job.id} is being done by another process; `forewarn train` goes on where that one stops", to=console)
        return True
    console.print(_table(catalog, ended))
    say(
        "limit: of the ratio; over: share of healthy rows held back that are over it; shift: smallest that is found,",
        to=console,
    )
    say("median and worst signal, in healthy spreads. All of it: forewarn models show ID", to=console)
    return not any(item.state is ItemState.FAILED for item in ended.items)


def _table(catalog: Catalog, job: Job) -> Table:
    table = Table(title=f"Job {job.id}, {job.state.value}", title_justify="left")
    for name in ("machine", "rows", "regimes", "left out", "limit", "over", "shift", "s"):
        table.add_column(name, justify="left" if name == "machine" else "right", no_wrap=name == "machine")
    table.add_column("outcome")
    for item in job.items:
        table.add_row(*_cells(catalog, item), Text(item.text or item.state.value, _STYLE.get(item.state, "")))
    return table


def _cells(catalog: Catalog, item: JobItem) -> list[str]:
    if not item.result:
        return [item.asset_id, *[""] * 7]
    card = catalog.models.get(item.result).card
    return [
        item.asset_id,
        f"{card.rows:,}",
        regimes_words(card),
        str(len(card.left_out)),
        as_number(card.metrics.get("threshold")),
        percent(card.metrics.get("over_threshold")),
        shift_words(card.metrics),
        f"{item.seconds:.1f}",
    ]
