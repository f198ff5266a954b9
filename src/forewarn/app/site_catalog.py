"""A site's catalog with its audit log, for whatever changes something in it."""

import getpass
from collections.abc import Mapping
from typing import Final

from forewarn.app.secrets import audit_key
from forewarn.app.settings import Settings
from forewarn.catalog import Catalog, Seal, open_catalog
from forewarn.catalog.inspection import has_audit_entries
from forewarn.domain.audit import AuditAction, Deed

ANCHOR: Final = "audit-anchor.json"
MODELS: Final = "models"


def seal_of(settings: Settings) -> Seal:
    """With a key of its own where nothing was recorded yet. Raises ConfigurationError when the audit log's key cannot
    be read, or is gone while its log is there: a new one could not vouch for it."""
    return Seal(audit_key(settings, make=not has_audit_entries(settings.catalog_url)), settings.directory / ANCHOR)


def open_site_catalog(settings: Settings) -> Catalog:
    """As `open_catalog`; makes the directory and the keys of a new site."""
    settings.make_directory()
    return open_catalog(settings.catalog_url, seal=seal_of(settings), models=settings.directory / MODELS)


def local_deed(
    action: AuditAction,
    target: str,
    *,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    why: str = "",
) -> Deed:
    """Done on this machine's command line, by whoever has its files."""
    return Deed(action, f"local {_user()}", target, before, after, "", why)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "somebody"
