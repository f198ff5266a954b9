"""`forewarn audit`: whether somebody rewrote the audit log, and what it says."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress

from forewarn.app.settings import Settings
from forewarn.app.site_catalog import seal_of
from forewarn.app.terminal import plain, say
from forewarn.catalog.audit import CatalogAudit, open_audit
from forewarn.catalog.inspection import CatalogState, catalog_state
from forewarn.contracts.audit_log import AuditQuery
from forewarn.domain.audit import AuditEntry
from forewarn.domain.errors import ConfigurationError, NotFound
from forewarn.kit.clock import to_rfc3339


def verify_log(settings: Settings, console: Console, progress: Progress) -> bool:
    """Walk the whole chain and name what is wrong; True when nothing is. A site may run meanwhile."""
    with _opened(settings) as audit, progress:
        task = progress.add_task("entries")
        report = audit.verify(lambda done, total: progress.update(task, completed=done, total=total))
    for fault in report.faults:
        say(fault, to=console)
    if report.faults:
        say(f"The audit log was tampered with, or its key or anchor lost: {len(report.faults)} faults.", to=console)
        return False
    say(f"{report.entries} entries, the last is {report.last}: nothing was changed, removed or added.", to=console)
    return True


def show_log(settings: Settings, limit: int, console: Console) -> None:
    """The last entries, newest below."""
    with _opened(settings) as audit:
        for entry in reversed(audit.find(AuditQuery(limit=limit))):
            say(_line(entry), to=console)


@contextmanager
def _opened(settings: Settings) -> Iterator[CatalogAudit]:
    state = catalog_state(settings.catalog_url)
    if state is CatalogState.MISSING:
        raise NotFound(f"there is no catalog in {settings.directory}; name the site's directory with --directory")
    if state is CatalogState.OLDER:
        raise ConfigurationError("the catalog is of an older Forewarn and has no audit log yet; start the site once")
    seal = seal_of(settings)
    with open_audit(settings.catalog_url, seal.key, seal.anchor) as audit:
        yield audit


def _line(entry: AuditEntry) -> str:
    deed = entry.deed
    told = [f"{entry.number:>6}", to_rfc3339(entry.at), deed.action.value, deed.actor or "-", deed.target or "-"]
    told += [deed.address] if deed.address else []
    told += [f"({deed.why})"] if deed.why else []
    return plain("  ".join(told))
