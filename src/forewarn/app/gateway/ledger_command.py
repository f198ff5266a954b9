"""`forewarn gateway ledger`."""

from pathlib import Path
from typing import Final

from rich.console import Console

from forewarn.app.gateway.reading import read_gateway_file
from forewarn.gateway.ledger_book import read_book, show

OUTBOX: Final = "outbox"


def show_ledger(file: Path, console: Console, *, hours: bool) -> bool:
    """True when it adds up and every signature holds."""
    settings, _ = read_gateway_file(file)
    return show_ledger_of(settings.directory, console, hours=hours)


def show_ledger_of(directory: Path, console: Console, *, hours: bool) -> bool:
    """directory: the gateway's."""
    return show(read_book(directory / OUTBOX), console, by_hour=hours)
