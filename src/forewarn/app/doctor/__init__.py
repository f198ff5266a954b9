"""`forewarn doctor`: what would keep this machine from running a site, and what to do about it."""

import os
from collections.abc import Callable, Iterator

from forewarn.app.doctor import machine, stores
from forewarn.app.doctor.certificate import certificates
from forewarn.app.doctor.check import Check
from forewarn.app.doctor.sources import sources
from forewarn.app.settings import Settings
from forewarn.app.settings_reading import misspelt_variables
from forewarn.domain.errors import ConfigurationError

__all__ = ["Check", "examine"]


def examine(read_settings: Callable[[], Settings]) -> Iterator[Check]:
    """Run every check, cheapest first. Nothing is made or changed on disk; a site may be running meanwhile."""
    yield from machine.software()
    try:
        settings = read_settings()
    except ConfigurationError as error:
        yield machine.clock(None)
        for line in str(error).splitlines():
            yield Check("settings", False, line, "mend it; what depends on settings was not checked")
        return
    yield from _misspelt()
    place = list(_guarded("data directory", lambda: machine.disk(settings)))
    yield from place
    yield machine.port(settings)
    yield from certificates(settings)
    yield machine.clock(settings)
    if place[0].ok:
        yield from _guarded("stores", lambda: _stores(settings))


def _stores(settings: Settings) -> Iterator[Check]:
    check, configured, signals = stores.catalog(settings)
    yield check
    yield from stores.batch_log(settings)
    yield from stores.historian(settings)
    yield from sources(configured, signals)


def _guarded(name: str, checks: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    """What the file system refuses on the way is a finding too."""
    try:
        yield from checks()
    except OSError as error:
        yield Check(name, False, str(error), "give this user the right to read it, or choose another --directory")


def _misspelt() -> Iterator[Check]:
    misspelt = misspelt_variables(os.environ)
    for name, meant in misspelt.items():
        yield Check("settings", False, f"{name} is not a setting", f"did you mean {meant}?", warning=True)
    if not misspelt:
        yield Check("settings", True, "readable")
