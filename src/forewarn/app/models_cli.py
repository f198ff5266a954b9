"""The command line of training and of trained models."""

from pathlib import Path
from typing import Annotated

import typer

from forewarn.app.late_settings import read_settings
from forewarn.app.terminal import console, progress_bar, told

Directory = Annotated[
    Path | None,
    typer.Option("--directory", "-d", help="Where catalog, log and historian lie  [default: var/site]"),
]
Model = Annotated[str, typer.Argument(metavar="ID", help="Its id, or the beginning of it")]
Rollout = Annotated[str, typer.Argument(metavar="ROLLOUT", help="Its id, as `rollout list` prints it")]


def _reason(text: str) -> str:
    from forewarn.policies.reasons import reason_of

    try:
        return reason_of(text)
    except ValueError as error:
        raise typer.BadParameter(f"the reason {error}") from None


Reason = Annotated[str, typer.Option("--reason", "-r", help="Why; it goes into the audit log", callback=_reason)]

models_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="What was learned of each machine.")
rollout_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="New models, step by step.")
models_app.add_typer(rollout_app, name="rollout")


def train(
    assets: Annotated[list[str] | None, typer.Argument(metavar="ASSET...", help="Machines to learn")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every machine of the plant")] = False,
    days: Annotated[float, typer.Option(min=0.01, max=3660, help="How far back healthy past is looked for")] = 14.0,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes  [default: all cores but one]")
    ] = None,
    promote: Annotated[
        bool | None,
        typer.Option("--promote/--no-promote", help="Act at once, or never  [default: a machine's first model does]"),
    ] = None,
    directory: Directory = None,
) -> None:
    """Learn what is normal for machines from their healthy past; without machines, go on where an earlier run stopped.

    The site may run meanwhile."""
    with told():
        settings = read_settings(directory=directory)
        from forewarn.app import train_commands

        done = train_commands.train(settings, assets or [], everything, days, workers, promote, console, progress_bar())
    raise typer.Exit(0 if done else 1)


@models_app.command("list")
def list_models(directory: Directory = None) -> None:
    """Print which model acts on which machine, and what waits to."""
    with told():
        settings = read_settings(directory=directory)
        from forewarn.app import model_commands

        model_commands.list_models(settings, console)


@models_app.command("show")
def show(model: Model, directory: Directory = None) -> None:
    """Print a model's card: what it learned from, how well it does, what it leaves out."""
    with told():
        settings = read_settings(directory=directory)
        from forewarn.app import model_commands

        model_commands.show_model(settings, model, console)


@models_app.command("promote")
def promote_model(model: Model, reason: Reason, directory: Directory = None) -> None:
    """Let a model act on its machine from now on."""
    with told():
        settings = read_settings(directory=directory)
        from forewarn.app import model_commands

        model_commands.promote(settings, model, reason, console)


@models_app.command("rollback")
def rollback(
    asset: Annotated[str, typer.Argument(metavar="ASSET", help="The machine")],
    reason: Reason,
    directory: Directory = None,
) -> None:
    """Take back the model that acts on a machine; the one before it acts again."""
    with told():
        settings = read_settings(directory=directory)
        from forewarn.app import model_commands

        model_commands.roll_back_machine(settings, asset, reason, console)


@rollout_app.command("start")
def start_rollout(
    assets: Annotated[list[str] | None, typer.Argument(metavar="ASSET...", help="Machines; none: all that can")] = None,
    share: Annotated[float, typer.Option(min=0.01, max=1.0, help="Of the machines, that the canary acts on")] = 0.1,
    directory: Directory = None,
) -> None:
    """Let the newest candidates score in the shadow of the champions."""
    with told():
        settings = read_settings(directory=directory)
        from forewarn.app import rollout_commands

        rollout_commands.start(settings, assets or [], share, console)


@rollout_app.command("list")
def list_rollouts(directory: Directory = None) -> None:
    """Print rollouts, newest first: how far they are, and how often both sides raise alarms."""
    with told():
        settings = read_settings(directory=directory)
        from forewarn.app import rollout_commands

        rollout_commands.list_all(settings, console)


@rollout_app.command("show")
def show_rollout(rollout: Rollout, directory: Directory = None) -> None:
    """Print what both sides of a rollout did, what the new one must keep within, and what comes next."""
    with told():
        settings = read_settings(directory=directory)
        from forewarn.app import rollout_commands

        rollout_commands.show(settings, rollout, console)


@rollout_app.command("stop")
def stop_rollout(rollout: Rollout, reason: Reason, directory: Directory = None) -> None:
    """Roll a rollout back."""
    with told():
        settings = read_settings(directory=directory)
        from forewarn.app import rollout_commands

        rollout_commands.stop(settings, rollout, reason, console)
