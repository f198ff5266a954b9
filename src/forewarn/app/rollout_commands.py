"""`forewarn models rollout`: new models begun, followed and ended from the command line of the site's machine."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from forewarn.app.access_words import existing_catalog
from forewarn.app.model_words import age, as_number, day, percent
from forewarn.app.settings import Settings
from forewarn.app.site_catalog import local_deed
from forewarn.app.site_rollouts import rollout_desk
from forewarn.app.terminal import plain, say
from forewarn.contracts.rollout_desk import Moved
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.errors import NotFound
from forewarn.domain.rollouts import Bounds, NextStep, Observed, Rollout, RolloutMachine, RolloutProgress
from forewarn.kit.clock import now_us
from forewarn.policies.rollout import step_told

_SHOWN = 100


def start(settings: Settings, assets: Sequence[str], share: float, console: Console) -> None:
    """The newest candidate of each machine (all that have one where none is named, but for those that were set aside),
    into the shadow together."""
    with existing_catalog(settings) as catalog:
        known = {asset.id for asset in catalog.plant.assets()}
        for asset_id in assets:
            if asset_id not in known:
                raise NotFound(f"there is no asset {asset_id!r}")
        begun = rollout_desk(settings, catalog).start(assets, share, _moving())
    count = len(begun.machines)
    say(
        f"Rollout {begun.rollout.id}: {_counted(count, 'model scores', 'models score')} in the shadow of "
        f"{'its champion' if count == 1 else 'their champions'} now.",
        to=console,
    )


def list_all(settings: Settings, console: Console) -> None:
    with existing_catalog(settings) as catalog:
        rollouts = rollout_desk(settings, catalog).newest(_SHOWN)
    for told in rollouts:
        machines = _counted(len(told.machines), "machine", "machines")
        say("; ".join([f"{told.rollout.id}  {machines}  {_state(told)}", *_steps(told), *_rates(told)]), to=console)
    if not rollouts:
        say("No rollout yet: `forewarn models rollout start`.", to=console)


def show(settings: Settings, rollout_id: str, console: Console) -> None:
    with existing_catalog(settings) as catalog:
        told = rollout_desk(settings, catalog).get(rollout_id)
    say(f"Rollout {told.rollout.id}, begun {day(told.rollout.started_at)} UTC: {_state(told)}", to=console)
    for line in _steps(told):
        say(line, to=console)
    if told.challenger is not None or told.champion is not None:
        console.print(_sides(told.challenger, told.champion, told.bounds))
    elif not told.is_over:
        say("Nothing was told of it yet in this state.", to=console)
    machines = Table("machine", "new", "champion", "who acts")
    for machine in told.machines:
        machines.add_row(machine.asset_id, machine.version[:12], (machine.champion or "none")[:12], _acting(machine))
    console.print(machines)


def stop(settings: Settings, rollout_id: str, reason: str, console: Console) -> None:
    """The champions before act again."""
    with existing_catalog(settings) as catalog:
        rollout_desk(settings, catalog).roll_back(rollout_id, reason, _moving(reason))
    say(f"Rollout {rollout_id} was rolled back.", to=console)


def _acting(machine: RolloutMachine) -> str:
    if machine.acts:
        return "the new one"
    if machine.acting is None:
        return "nobody yet"
    return "the champion" if machine.acting == machine.champion else "another one"


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _state(told: RolloutProgress) -> str:
    rollout = told.rollout
    since = f"{rollout.state.value.replace('_', ' ')} for {age(rollout.since, now_us())}"
    if rollout.reason is None:
        return since
    return f"{since}, {rollout.reason.value.replace('_', ' ')}: {plain(rollout.note)}"


def _steps(told: RolloutProgress) -> list[str]:
    return [] if told.next is None else [_step(told.next)]


def _step(step: NextStep) -> str:
    rows = f", {step.rows:,} of {step.least_rows:,} rows" if step.rows < step.least_rows else ""
    if step.at is None:
        when = "once the rows are there"
    else:
        when = f"{'until' if step.into is None else 'not before'} {day(step.at)} UTC"
    return f"{'watched' if step.into is None else step.into.value} {when} ({step.progress:.0%}{rows})"


def _rates(told: RolloutProgress) -> list[str]:
    if told.challenger is None:
        return []
    most = "" if told.bounds is None else f", {told.bounds.alarms_per_week:.2f} are within bounds"
    beside = "none yet" if told.champion is None else _a_week(told.champion)
    return [f"alarms an asset-week: {_a_week(told.challenger)} (champion: {beside}{most})"]


def _a_week(seen: Observed) -> str:
    return as_number(seen.alarms_per_week) or "none yet"


def _sides(challenger: Observed | None, champion: Observed | None, bounds: Bounds | None) -> Table:
    table = Table("", "new", "champion", "within bounds")
    new, old = _figures(challenger), _figures(champion)
    limits = [""] * len(new) if bounds is None else _limits(bounds)
    names = ("hours judged", "rows", "with an opinion", "alarms", "alarms an asset-week", "failed calls", "ms a call")
    for row in zip(names, new, old, limits, strict=True):
        table.add_row(*row)
    return table


def _figures(seen: Observed | None) -> list[str]:
    if seen is None:
        return [""] * 7
    return [
        f"{seen.asset_s / 3_600:,.1f}",
        f"{seen.rows:,}",
        percent(seen.opinions / seen.rows if seen.rows else None),
        f"{seen.alarms:,}",
        as_number(seen.alarms_per_week),
        percent(seen.errors / seen.calls if seen.calls else None),
        as_number(seen.latency_ms),
    ]


def _limits(bounds: Bounds) -> list[str]:
    return [
        "",
        "",
        f"from {percent(bounds.opinions)}",
        f"to {bounds.alarms:,}",
        f"to {as_number(bounds.alarms_per_week)}",
        f"to {percent(bounds.errors)}",
        f"to {as_number(bounds.latency_ms)}",
    ]


def _moving(why: str = "") -> Moved:
    def deed(before: Rollout | None, after: Rollout) -> Deed:
        was, told = step_told(before, after)
        return local_deed(AuditAction.MODEL_CHANGED, f"rollout {after.id}", before=was, after=told, why=why)

    return deed
