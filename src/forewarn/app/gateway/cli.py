"""`forewarn gateway ...`."""

from pathlib import Path
from typing import Annotated

import typer

from forewarn.app.terminal import console, say, told

gateway_app = typer.Typer(
    invoke_without_command=True, rich_markup_mode=None, help="An edge gateway: collect, judge, keep, thin and send."
)
Config = Annotated[
    Path, typer.Option("--config", "-c", help="The gateway's file", show_default=True, envvar="FOREWARN_GATEWAY_FILE")
]
FILE = Path("gateway.toml")


@gateway_app.callback()
def run(context: typer.Context, config: Config = FILE) -> None:
    """Run an edge gateway; or one of its commands."""
    context.obj = config
    if context.invoked_subcommand is None:
        with told():
            from forewarn.app.gateway.running import run_gateway

            run_gateway(config)


def _file(context: typer.Context, config: Path | None) -> Path:
    return config or context.obj or FILE


OwnConfig = Annotated[Path | None, typer.Option("--config", "-c", help="The gateway's file  [default: gateway.toml]")]


@gateway_app.command()
def check(
    context: typer.Context,
    config: OwnConfig = None,
    seconds: Annotated[float, typer.Option(min=0.1, max=3600, help="Longest to wait for every signal")] = 10.0,
) -> None:
    """Check the file, then read every signal once from the live devices; nothing is stored or sent."""
    from forewarn.app.gateway.checking import check_gateway

    with told():
        ok = check_gateway(_file(context, config), seconds, console)
    raise typer.Exit(0 if ok else 1)


@gateway_app.command()
def browse(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help="A source of the gateway's file")],
    config: OwnConfig = None,
    match: Annotated[list[str] | None, typer.Option("--match", "-m", help="Pattern of paths or addresses")] = None,
    most: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many points at most")] = 1_000,
) -> None:
    """Look around in a device: what could be collected, with addresses as the gateway's file wants them."""
    from forewarn.app.gateway.checking import browse_source

    with told():
        browse_source(_file(context, config), source, match or [], most, console)


@gateway_app.command()
def ledger(
    context: typer.Context,
    config: OwnConfig = None,
    hours: Annotated[bool, typer.Option("--hours", help="A line an hour instead of a day")] = False,
) -> None:
    """What was read, thinned, sent and acknowledged; exit status 1 unless it adds up and every signature holds."""
    from forewarn.app.gateway.ledger_command import show_ledger

    with told():
        ok = show_ledger(_file(context, config), console, hours=hours)
    raise typer.Exit(0 if ok else 1)


@gateway_app.command("map")
def register_map(
    context: typer.Context,
    config: OwnConfig = None,
    output: Annotated[str, typer.Option(help="The output's plugin")] = "modbus_status",
) -> None:
    """Print where the SCADA reads what, as CSV: of the file's assets and alarms."""
    from forewarn.app.gateway.map_command import status_map

    with told():
        say(status_map(_file(context, config), output), end="")
