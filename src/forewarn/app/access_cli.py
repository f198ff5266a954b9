"""The command line of people and machines."""

from pathlib import Path
from typing import Annotated

import typer

from forewarn.app.late_settings import read_settings
from forewarn.app.terminal import console, told

Directory = Annotated[
    Path | None,
    typer.Option("--directory", "-d", help="Where catalog, log and historian lie  [default: var/site]"),
]
PersonName = Annotated[str, typer.Argument(metavar="NAME", help="As one signs in")]
MachineName = Annotated[str, typer.Argument(metavar="NAME", help="The gateway_id it speaks for")]

people_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Who may sign in, and what for.")
machines_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Which gateways and devices may send.")


@people_app.command("list")
def list_people(directory: Directory = None) -> None:
    """Print who there is, and in which roles."""
    with told():
        settings = read_settings(directory=directory)
        from forewarn.app import people_commands

        people_commands.list_people(settings, console)


@people_app.command("add")
def add_person(
    name: PersonName,
    role: Annotated[
        list[str] | None, typer.Option("--role", metavar="ROLE[:PATH]", help="As often as needed; no path: everywhere")
    ] = None,
    full_name: Annotated[str, typer.Option("--full-name", help="For the page")] = "",
    directory: Directory = None,
) -> None:
    """Add a person and print a one-time password."""
    with told():
        settings = read_settings(directory=directory)
        from forewarn.app import people_commands

        people_commands.add_person(settings, name, full_name, role or [], console)


@people_app.command("reset")
def reset(name: PersonName, directory: Directory = None) -> None:
    """Print a new one-time password; whoever is signed in under this name is signed out."""
    with told():
        settings = read_settings(directory=directory)
        from forewarn.app import people_commands

        people_commands.reset_password(settings, name, console)


@people_app.command("disable")
def disable(name: PersonName, directory: Directory = None) -> None:
    """Let this person in no more, and end all sessions."""
    _set_disabled(name, directory, True)


@people_app.command("enable")
def enable(name: PersonName, directory: Directory = None) -> None:
    """Let this person in again."""
    _set_disabled(name, directory, False)


def _set_disabled(name: str, directory: Path | None, disabled: bool) -> None:
    with told():
        settings = read_settings(directory=directory)
        from forewarn.app import people_commands

        people_commands.set_disabled(settings, name, disabled, console)


@machines_app.command("list")
def list_machines(directory: Directory = None) -> None:
    """Print which machines there are, and when they were last heard of."""
    with told():
        settings = read_settings(directory=directory)
        from forewarn.app import machine_commands

        machine_commands.list_machines(settings, console)


@machines_app.command("add")
def add_machine(
    name: MachineName,
    path: Annotated[
        list[str] | None, typer.Option("--path", help="Part of the plant, as often as needed; none: everywhere")
    ] = None,
    role: Annotated[str, typer.Option("--role", help="What it may do there; any but admin")] = "gateway",
    key: Annotated[bool, typer.Option("--key", help="Print a key that is ready for use, not a token")] = False,
    certificate: Annotated[
        Path | None, typer.Option("--certificate", metavar="FILE", help="Client certificate (PEM) to act by, no token")
    ] = None,
    directory: Directory = None,
) -> None:
    """Add a machine and print a token that it enrols with once."""
    with told():
        settings = read_settings(directory=directory)
        from forewarn.app import machine_commands

        machine_commands.add_machine(settings, name, role, path or [], key, console, certificate)


@machines_app.command("revoke")
def revoke(name: MachineName, directory: Directory = None) -> None:
    """Refuse this machine's key from now on."""
    with told():
        settings = read_settings(directory=directory)
        from forewarn.app import machine_commands

        machine_commands.revoke_machine(settings, name, console)
