"""`forewarn log discard`: give up one damaged frame, so that the line goes on behind it."""

import contextlib
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from forewarn.app.plugins import load
from forewarn.app.settings import MIB, Settings
from forewarn.app.site_catalog import local_deed, open_site_catalog
from forewarn.app.terminal import say
from forewarn.contracts.historian import Historian
from forewarn.domain.audit import AuditAction
from forewarn.domain.errors import ConfigurationError, Conflict, NotFound, StorageFailed
from forewarn.kit.clock import to_rfc3339
from forewarn.plugins.batch_logs.sqlite_spool import SqliteSpool
from forewarn.plugins.batch_logs.sqlite_spool.inspection import FrameFacts, describe


def discard_frame(settings: Settings, offset: int, console: Console, confirm: Callable[[str], bool]) -> bool:
    """Put an empty batch where frame `offset` was; False when the person thought better of it.

    Raises ConfigurationError while a site holds the directory, NotFound, and Conflict for a frame that is whole."""
    if settings.batch_log != SqliteSpool.name:
        raise ConfigurationError(f"log discard knows the {SqliteSpool.name} log, the setting says {settings.batch_log}")
    directory = settings.directory / "log"
    if not directory.is_dir():
        raise NotFound(f"there is no batch log in {settings.directory}; name the site's directory with --directory")
    log = SqliteSpool(directory, capacity_bytes=settings.log_capacity_mib * MIB)
    with contextlib.closing(log):
        facts = describe(directory, offset)
        last = log.depth().last_offset
        if facts is None:
            raise NotFound(f"the log has no frame {offset}: it ends at {last} and forgets what everybody has read")
        damage = _damage(log, offset)
        stored = offset <= _stored(settings)
        say(_told(facts, offset, damage, stored), to=console)
        if not confirm(f"Discard frame {offset}?"):
            return False
        with open_site_catalog(settings) as catalog:
            catalog.audit.record(local_deed(AuditAction.LOG_DISCARDED, f"frame {offset}", after={"damage": damage}))
        log.discard(offset)
        say(f"Frame {offset} is empty now. Start the site again: it goes on behind it.", to=console)
        return True


def _damage(log: SqliteSpool, offset: int) -> str:
    try:
        found = log.read(offset - 1, 1)
    except StorageFailed as error:
        if getattr(error, "offset", None) == offset:
            return str(error)
        raise
    if found and found[0][0] == offset:
        raise Conflict(f"frame {offset} is whole, there is nothing to discard: nothing was changed")
    raise NotFound(f"frame {offset} was read by everybody and is gone: nothing was changed")


def _stored(settings: Settings) -> int:
    """The historian's watermark; 0 where there is no historian yet."""
    directory: Path = settings.directory / "historian"
    if not directory.is_dir():
        return 0
    historian: Historian = load("historians", settings.historian)(directory)
    with contextlib.closing(historian):
        return historian.watermark


def _told(facts: FrameFacts, offset: int, damage: str, stored: bool) -> str:
    count = "an unknown number of" if facts.readings is None else f"{facts.readings:,}"
    what = f"{count} readings of gateway {facts.gateway!r} (sequence {facts.sequence}), received"
    consequence = (
        "The historian holds them already; what is given up is their scoring and judging."
        if stored
        else "The historian does not hold them: they are lost for good, and the gateway will not send them again."
    )
    return f"{damage}\nFrame {offset} is {what} {to_rfc3339(facts.appended_at)}. {consequence}"
