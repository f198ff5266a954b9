"""The command line: thin commands over wiring, jobs and the simulator."""

import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from forewarn import __version__
from forewarn.app.settings import Settings
from forewarn.domain.errors import ForewarnError

app = typer.Typer(
    name="forewarn", no_args_is_help=True, pretty_exceptions_enable=False, help="Open predictive maintenance."
)
console = Console()
errors = Console(stderr=True)

Directory = Annotated[Path | None, typer.Option("--directory", "-d", help="Where catalog, log and historian lie")]
Port = Annotated[int | None, typer.Option("--port", "-p", help="Port of the web page; 0 takes a free one")]
Host = Annotated[str | None, typer.Option("--host", help="Address to listen on")]


def _settings(**given: Any) -> Settings:
    return Settings(**{key: value for key, value in given.items() if value is not None})


def fail(error: Exception) -> NoReturn:
    errors.print(f"[bold red]forewarn:[/] {error}", highlight=False, soft_wrap=True)
    raise typer.Exit(1)


def progress_bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, TimeRemainingColumn(), console=errors)


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version and leave")] = False) -> None:
    if version:
        console.print(__version__)
        raise typer.Exit


@app.command()
def serve(directory: Directory = None, host: Host = None, port: Port = None) -> None:
    """Run a site: web page, API, sources and the line."""
    from forewarn.app.serve import run_site

    try:
        run_site(_settings(directory=directory, host=host, port=port))
    except ForewarnError as error:
        fail(error)


@app.command()
def demo(
    directory: Directory = None,
    host: Host = None,
    port: Port = None,
    history_days: Annotated[float, typer.Option(help="Days of past to begin with")] = 2.0,
    fresh: Annotated[bool, typer.Option(help="Forget what an earlier demo stored")] = False,
) -> None:
    """Start the simulated plant and a site that watches it, and print the address."""
    from forewarn.app.demo import run_demo

    try:
        run_demo(_settings(directory=directory or Path("var/demo"), host=host, port=port), history_days, fresh, console)
    except ForewarnError as error:
        fail(error)


@app.command()
def apply(
    plant_file: Annotated[Path, typer.Argument(help="The plant's description, TOML")],
    directory: Directory = None,
    dry_run: Annotated[bool, typer.Option("--plan", help="Show the plan and change nothing")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before removing things")] = False,
) -> None:
    """Show what a plant file would change, and apply it."""
    from forewarn.app.plant import apply_plant_file

    try:
        done = apply_plant_file(_settings(directory=directory), plant_file, dry_run, yes, console)
    except ForewarnError as error:
        fail(error)
    raise typer.Exit(0 if done else 1)


@app.command()
def replay(
    recording: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or Parquet, wide or long")],
    asset: Annotated[str, typer.Option(help="Asset whose signals the columns are")],
    speed: Annotated[float, typer.Option(min=0, help="Source seconds a second; 0 = as fast as it goes")] = 1.0,
    url: Annotated[str, typer.Option(help="The site's address")] = "http://127.0.0.1:8080",
    mapping: Annotated[list[str] | None, typer.Option("--map", help="column=signal, as often as needed")] = None,
) -> None:
    """Push a recording through the front door, with its own timestamps."""
    from forewarn.app.replaying import replay_recording

    try:
        with progress_bar() as progress:
            count, unmatched = replay_recording(recording, asset, speed, url, mapping or [], progress)
    except ForewarnError as error:
        fail(error)
    if unmatched:
        errors.print(f"not sent, no signal of that name: {', '.join(unmatched)}")
    console.print(
        f"{count.accepted} accepted, {count.late} late, {count.duplicate} duplicate, {count.rejected} rejected"
        + "".join(f"; {reason}: {n}" for reason, n in sorted(count.reasons.items()))
    )
    raise typer.Exit(1 if count.rejected else 0)


@app.command()
def doctor(directory: Directory = None, host: Host = None, port: Port = None) -> None:
    """Check ports, disk, clock, versions and sources, and say what to do."""
    from forewarn.app.doctor import examine

    table = Table("", "check", "found", "what to do", box=None, pad_edge=False)
    bad = 0
    for check in examine(_settings(directory=directory, host=host, port=port)):
        mark = "[green]ok[/]" if check.ok else "[yellow]look[/]" if check.warning else "[red]bad[/]"
        table.add_row(mark, check.name, check.found, "" if check.ok else check.remedy)
        bad += not check.ok and not check.warning
    console.print(table)
    console.print("Nothing stands in the way." if not bad else f"{bad} to mend first.")
    raise typer.Exit(1 if bad else 0)


@app.command()
def simulate(
    serve_live: Annotated[bool, typer.Option("--serve", help="Run the plant live behind protocol servers")] = False,
    days: Annotated[float, typer.Option(help="Days of history to write")] = 90.0,
    out: Annotated[Path | None, typer.Option(help="Folder for history, labels and plant file")] = None,
    step_s: Annotated[float, typer.Option("--step", help="Seconds between readings of the history")] = 10.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same plant, bit for bit")] = 1,
    faults: Annotated[bool, typer.Option(help="Let faults happen")] = True,
    state: Annotated[Path | None, typer.Option(help="Folder for the live plant's broker and labels")] = None,
    controlled: Annotated[
        bool, typer.Option(help="Take JSON lines on standard input and end when it closes", hidden=True)
    ] = False,
    opcua_port: int = 48400,
    modbus_port: int = 48502,
    mqtt_port: int = 48883,
) -> None:
    """Write history of the simulated plant, or run it live."""
    from forewarn.app import simulating

    try:
        if serve_live:
            ports = simulating.Ports(opcua_port, modbus_port, mqtt_port)
            simulating.serve(state or Path("var/simulator"), ports, seed, controlled)
        elif out is None:
            fail(ForewarnError("say where: --out DIR writes history, --serve runs the plant live"))
        else:
            with progress_bar() as progress:
                summary = simulating.write(out, days, step_s, seed, faults, progress)
            console.print(summary)
    except ForewarnError as error:
        fail(error)


if __name__ == "__main__":
    sys.exit(app())
