"""What people read: plain sentences on standard error, progress while they wait."""

import contextlib
from collections.abc import Iterator
from typing import NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from forewarn.domain.errors import ForewarnError

console = Console(emoji=False)
errors = Console(stderr=True, emoji=False)


def plain(text: str) -> str:
    """On one line, and without what could command a terminal: names and reasons are anybody's choice."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def say(text: str, *, to: Console = console, end: str = "\n") -> None:
    """`text` as it is, but for what could command a terminal: brackets and colons in it are no markup, and a pipe's
    lines are not cut."""
    shown = "\n".join(plain(line) for line in text.split("\n"))
    to.print(shown, markup=False, highlight=False, soft_wrap=True, end=end)


def fail(error: Exception) -> NoReturn:
    """Tell why and leave with exit status 1."""
    errors.print("[bold red]forewarn:[/]", end=" ")
    say(str(error), to=errors)
    raise typer.Exit(1)


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Errors that are not ours to mend become a sentence and exit status 1; a bug of ours keeps its trace."""
    try:
        yield
    except ForewarnError as error:
        fail(error)
    except BrokenPipeError:
        raise  # whoever read us has seen enough
    except OSError as error:
        fail(error)


def progress_bar() -> Progress:
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, TimeRemainingColumn(), console=errors)
