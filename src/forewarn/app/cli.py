"""The command line: thin commands over wiring, jobs and the simulator."""

import math
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from forewarn import __version__
from forewarn.app.access_cli import machines_app, people_app
from forewarn.app.dataset_names import Dataset
from forewarn.app.gateway.cli import gateway_app
from forewarn.app.late_settings import read_settings
from forewarn.app.models_cli import models_app, train
from forewarn.app.terminal import console, errors, progress_bar, say, told

app = typer.Typer(
    name="forewarn",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Watch machines: collect and keep readings, raise alarms that deserve attention. Begin with `forewarn demo`.",
)

Directory = Annotated[
    Path | None,
    typer.Option("--directory", "-d", help="Where catalog, log and historian lie  [default: var/site]"),
]
Port = Annotated[
    int | None,
    typer.Option("--port", "-p", min=0, max=65535, help="Port of the web page; 0 takes a free one  [default: 8080]"),
]
Host = Annotated[
    str | None,
    typer.Option("--host", help="Address to listen on; 0.0.0.0 lets other machines in  [default: 127.0.0.1]"),
]
Listening = Annotated[int, typer.Option(min=0, max=65535, help="Port of the plant's server; 0 takes a free one")]


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a finite number")
    return value


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version and leave")] = False) -> None:
    if version:
        say(__version__)
        raise typer.Exit


@app.command()
def serve(directory: Directory = None, host: Host = None, port: Port = None) -> None:
    """Run a site: web page, API, sources and the line."""
    with told():
        settings = read_settings(directory=directory, host=host, port=port)
        from forewarn.app.serve import run_site

        run_site(settings)


@app.command()
def demo(
    directory: Annotated[
        Path | None, typer.Option("--directory", "-d", help="Where the demo keeps its data  [default: var/demo]")
    ] = None,
    host: Host = None,
    port: Port = None,
    history_days: Annotated[float, typer.Option(min=0, max=366, help="Days of past to begin with; 0 for none")] = 2.0,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what an earlier demo stored")] = False,
) -> None:
    """Start a simulated plant and a site that watches it."""
    with told():
        settings = read_settings(directory=directory or Path("var/demo"), host=host, port=port)
        from forewarn.app.demo import run_demo

        run_demo(settings, history_days, fresh, console)


@app.command()
def apply(
    plant_files: Annotated[
        list[Path], typer.Argument(metavar="PLANT.TOML...", help="The plant's description; its gateways' files too")
    ],
    directory: Directory = None,
    dry_run: Annotated[
        bool, typer.Option("--plan", help="Show the plan and change nothing; exit status 1 if there is one")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before removing things")] = False,
) -> None:
    """Show what plant files would change, and apply them: together they are the whole plant."""
    with told():
        settings = read_settings(directory=directory)
        from forewarn.app.plant import apply_plant_files

        done = apply_plant_files(settings, plant_files, dry_run, yes, console)
    raise typer.Exit(0 if done else 1)


log_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The batch log of a site that is stopped.")
app.add_typer(log_app, name="log")


@log_app.command("discard")
def discard(
    offset: Annotated[int, typer.Argument(min=1, max=2**63 - 1, help="The frame that the site names as damaged")],
    directory: Directory = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask")] = False,
) -> None:
    """Give up one damaged frame that no backup can restore; says first what is lost."""

    def confirm(question: str) -> bool:
        return yes or typer.confirm(question)

    with told():
        settings = read_settings(directory=directory)
        from forewarn.app.log_commands import discard_frame

        done = discard_frame(settings, offset, console, confirm)
    raise typer.Exit(0 if done else 1)


audit_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The record of who did what.")
app.add_typer(audit_app, name="audit")


@audit_app.command("verify")
def verify(directory: Directory = None) -> None:
    """Check the whole audit log; name every entry that was changed, removed or added, exit status 1 if there is one."""
    with told():
        settings = read_settings(directory=directory)
        from forewarn.app.audit_commands import verify_log

        whole = verify_log(settings, console, progress_bar())
    raise typer.Exit(0 if whole else 1)


@audit_app.command("show")
def show(
    directory: Directory = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="How many")] = 50,
) -> None:
    """Print the last entries, newest below."""
    with told():
        settings = read_settings(directory=directory)
        from forewarn.app.audit_commands import show_log

        show_log(settings, limit, console)


app.add_typer(gateway_app, name="gateway")
app.add_typer(people_app, name="people")
app.add_typer(machines_app, name="machines")
app.add_typer(models_app, name="models")
app.command("train")(train)


@app.command()
def replay(
    recording: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or Parquet, wide or long")],
    asset: Annotated[str, typer.Option(help="Asset whose signals the columns are")],
    speed: Annotated[
        float, typer.Option(min=0, callback=_finite, help="Source seconds a second; 0 = as fast as it goes")
    ] = 1.0,
    url: Annotated[str, typer.Option(help="The site's address")] = "http://127.0.0.1:8080",
    mapping: Annotated[list[str] | None, typer.Option("--map", help="column=signal, as often as needed")] = None,
    key: Annotated[
        str | None, typer.Option(envvar="FOREWARN_KEY", help="Key of a machine that may read and write the asset")
    ] = None,
) -> None:
    """Push a recording into a site, with its own timestamps."""
    from forewarn.app.replaying import replay_recording

    with told():
        count, unmatched = replay_recording(recording, asset, speed, url, mapping or [], key, progress_bar())
    if unmatched:
        say(f"not sent, no signal of that name: {', '.join(unmatched)}", to=errors)
    say(
        f"{count.accepted} accepted, {count.late} late, {count.duplicate} duplicate, {count.rejected} rejected"
        + "".join(f"; {reason}: {n}" for reason, n in sorted(count.reasons.items()))
    )
    raise typer.Exit(1 if count.rejected else 0)


@app.command()
def doctor(directory: Directory = None, host: Host = None, port: Port = None) -> None:
    """Check this machine and what is stored; say what to do.

    Software, disk, port, clock, catalog, batch log, historian and sources; nothing is changed."""
    from forewarn.app.doctor import examine

    bad = 0
    with told():
        for check in examine(lambda: read_settings(directory=directory, host=host, port=port)):
            mark, style = ("ok", "green") if check.ok else ("look", "yellow") if check.warning else ("bad", "red")
            line = Text.assemble((f"{mark:<6}", style), f"{check.name:<16} {check.found}")
            console.print(line, highlight=False, soft_wrap=True)
            if not check.ok:
                say(f"{'':23}-> {check.remedy}")
            bad += not check.ok and not check.warning
    say("Nothing stands in the way." if not bad else f"{bad} to mend first.")
    raise typer.Exit(1 if bad else 0)


@app.command()
def drill(
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="A gateway's file  [default: a simulated plant]")
    ] = None,
    short: Annotated[bool, typer.Option("--short", help="3 seconds each, for CI")] = False,
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="How long each harm lasts")] = 20.0,
    only: Annotated[list[str] | None, typer.Option("--only", help="Name of a scenario, as often as needed")] = None,
    keep: Annotated[Path | None, typer.Option("--keep", help="Empty folder for all data and logs, kept")] = None,
) -> None:
    """Pull the cables on purpose: network, device, broker, disk, clock, kill -9; say what was lost (nothing).

    A site and a gateway of their own are started; the devices are those of the gateway's file, or simulated ones."""
    from forewarn.app.drill.command import run_drill

    with told():
        ok = run_drill(config, 3.0 if short else seconds, only or [], keep, console, progress_bar())
    raise typer.Exit(0 if ok else 1)


@app.command("evaluate")
def evaluate_dataset(
    dataset: Annotated[Dataset, typer.Argument(metavar="DATASET", help="skab, nab, tep or simulator")],
    data: Annotated[
        Path | None, typer.Option(help="Folder that holds the data sets  [default: what FOREWARN_DATA names]")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Scoreboard to put the figures on: a .json; its page is beside it")
    ] = None,
) -> None:
    """Measure the detectors on public data that you have, beside what knows no sensor, and beside published figures."""
    from forewarn.app.evaluate_commands import evaluate

    with told():
        evaluate(dataset, data, out, console, progress_bar())


@app.command()
def simulate(
    serve_live: Annotated[bool, typer.Option("--serve", help="Run the plant live behind protocol servers")] = False,
    days: Annotated[float, typer.Option(help="Days of history to write")] = 90.0,
    out: Annotated[Path | None, typer.Option(help="Folder for history, labels and plant file")] = None,
    step_s: Annotated[float, typer.Option("--step", help="Seconds between readings of the history")] = 10.0,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same plant, bit for bit")] = 1,
    faults: Annotated[bool, typer.Option(help="Let faults happen")] = True,
    state: Annotated[
        Path | None, typer.Option(help="Folder for the live plant's broker and labels  [default: var/simulator]")
    ] = None,
    controlled: Annotated[
        bool, typer.Option(help="Take JSON lines on standard input and end when it closes", hidden=True)
    ] = False,
    opcua_port: Listening = 48400,
    modbus_port: Listening = 48502,
    mqtt_port: Listening = 48883,
) -> None:
    """Write a simulated plant's history, or run it live."""
    if serve_live == (out is not None):
        raise typer.BadParameter("say which: --out DIR writes history, --serve runs the plant live")
    from forewarn.app import simulating

    with told():
        if out is None:
            ports = simulating.Ports(opcua_port, modbus_port, mqtt_port)
            simulating.serve(state or Path("var/simulator"), ports, seed, controlled)
            return
        say(simulating.write(out, days, step_s, seed, faults, progress_bar()))


if __name__ == "__main__":
    sys.exit(app())
