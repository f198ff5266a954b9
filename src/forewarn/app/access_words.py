"""The site and names as they are given at the command line, and grants as it tells them."""

from collections.abc import Iterable

from forewarn.app.settings import Settings
from forewarn.app.site_catalog import open_site_catalog
from forewarn.catalog import Catalog, CatalogState, catalog_state
from forewarn.contracts.plant_store import PlantStore
from forewarn.domain.access import EVERYWHERE, Grant
from forewarn.domain.errors import InvalidInput, NotFound

LONGEST_PERSON = 64
LONGEST_MACHINE = 128


def existing_catalog(settings: Settings) -> Catalog:
    """Raises NotFound where there is none: who only asks or changes makes no site by a slip in its directory's name."""
    if catalog_state(settings.catalog_url) is CatalogState.MISSING:
        raise NotFound(f"there is no catalog in {settings.directory}; name the site's directory with --directory")
    return open_site_catalog(settings)


def checked_name(text: str, longest: int) -> str:
    """Raises InvalidInput."""
    name = text.strip()
    if not name or len(name) > longest or not name.isprintable():
        raise InvalidInput(f"{text!r} is no name: 1 to {longest} characters that can be seen")
    return name


def said(grants: Iterable[Grant]) -> str:
    return ", ".join(f"{g.role.value}:{g.path}" if g.path else g.role.value for g in grants) or "no role"


def recorded(grants: Iterable[Grant]) -> list[dict[str, str]]:
    """As the audit log keeps them."""
    return [{"role": grant.role.value, "path": grant.path} for grant in grants]


def unknown_places(grants: Iterable[Grant], plant: PlantStore) -> list[str]:
    """Paths of grants that the applied plant does not have."""
    known = {"/".join(asset.path[:depth]) for asset in plant.assets() for depth in range(1, 5)} | {EVERYWHERE}
    return sorted({grant.path for grant in grants} - known)
