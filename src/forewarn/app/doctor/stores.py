"""What a site has on disk: catalog, batch log, historian. Nothing is made, upgraded or mended here."""

from collections.abc import Iterator
from typing import Final

from forewarn.app.doctor.check import Check
from forewarn.app.settings import MIB, READING_BYTES, Settings
from forewarn.domain.assets import Signal, SourceConfig
from forewarn.domain.errors import ForewarnError

_MOST_CHECKED: Final = 1 << 30
_FILLING: Final = 0.8
_RESTORE: Final = "restore the directory from a backup, or move it away and start anew"


def catalog(settings: Settings) -> tuple[Check, list[SourceConfig], list[Signal]]:
    """The check, and the sources and signals found on the way."""
    try:
        from forewarn.catalog import CatalogState, catalog_state, open_catalog
    except ImportError as error:
        return Check("catalog", False, str(error), "pip install 'forewarn[platform]'"), [], []
    try:
        match catalog_state(settings.catalog_url):
            case CatalogState.MISSING:
                return Check("catalog", True, "none yet; `forewarn apply plant.toml` makes it"), [], []
            case CatalogState.OLDER:
                found = "made by an older Forewarn; the next start upgrades it (its sources are not checked until then)"
                return Check("catalog", False, found, "back it up, then start the site", warning=True), [], []
        with open_catalog(settings.catalog_url) as opened:
            sources, signals = list(opened.plant.sources()), list(opened.plant.signals())
            assets = len(opened.plant.assets())
            walled = opened.backend != "postgresql" or opened.second_wall
    except ForewarnError as error:
        return Check("catalog", False, "cannot be used", f"{error}"), [], []
    if not walled:
        found = "its user is a superuser, whom PostgreSQL does not hold to row-level security"
        remedy = "own the database by a plain role: CREATE ROLE forewarn LOGIN; ALTER DATABASE ... OWNER TO forewarn"
        return Check("catalog", False, found, remedy, warning=True), sources, signals
    found = f"{assets} assets, {len(signals)} signals, {len(sources)} sources"
    return Check("catalog", assets > 0, found, "describe the plant: forewarn apply plant.toml", True), sources, signals


def batch_log(settings: Settings) -> Iterator[Check]:
    from forewarn.plugins.batch_logs.sqlite_spool import SqliteSpool
    from forewarn.plugins.batch_logs.sqlite_spool.inspection import examine

    if settings.batch_log != SqliteSpool.name:
        yield Check("batch log", True, f"{settings.batch_log}: its state is not looked at")
        return
    capacity = settings.log_capacity_mib * MIB
    holds = capacity // READING_BYTES
    try:
        facts = examine(settings.directory / "log", _MOST_CHECKED)
    except ForewarnError as error:
        yield Check("batch log", False, "cannot be used", str(error))
        return
    room = f"room for {holds:,} readings, {holds / settings.flush_readings:.0f} segments"
    if facts is None:
        yield Check("batch log", True, f"none yet; {room}")
        return
    if facts.damage is not None:
        yield Check("batch log", False, "damaged: the line stops there", facts.damage)
        return
    found = (
        f"{facts.readings:,} readings in {facts.batches} batches, {facts.bytes / MIB:,.0f} of {capacity / MIB:,.0f} MiB"
    )
    looked = "" if facts.checked_bytes == facts.bytes else f" (the oldest {facts.checked_bytes / MIB:,.0f} MiB checked)"
    behind = ", ".join(f"{name} {n}" for name, n in sorted(facts.behind.items()) if n)
    remedy = (
        f"it empties as the line moves (batches behind: {behind or 'none'}); if it does not, ask the site's /readyz "
        f"why, or raise FOREWARN_LOG_CAPACITY_MIB (now {settings.log_capacity_mib})"
    )
    yield Check("batch log", facts.bytes < _FILLING * capacity, f"{found}{looked}; {room}", remedy, warning=True)


def historian(settings: Settings) -> Iterator[Check]:
    from forewarn.plugins.historians.parquet.inspection import examine

    if settings.historian != "parquet":
        yield Check("historian", True, f"{settings.historian}: its state is not looked at")
        return
    try:
        facts = examine(settings.directory / "historian")
    except ForewarnError as error:
        yield Check("historian", False, "cannot be used", f"{error}; {_RESTORE}")
        return
    if facts is None:
        yield Check("historian", True, "none yet; the first start makes it")
        return
    found = f"{facts.readings:,} readings in {facts.files} files, {facts.bytes / MIB:,.1f} MiB"
    for said in facts.damage[:5]:
        yield Check("historian", False, said, "restore this file from a backup; the site does not start without it")
    if not facts.damage:
        yield Check("historian", True, found)
