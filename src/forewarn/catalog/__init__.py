"""The relational store: one repository file a noun; migrations inside."""

from forewarn.catalog.catalog import Catalog, Seal, open_catalog
from forewarn.catalog.inspection import CatalogState, catalog_state

__all__ = ["Catalog", "CatalogState", "Seal", "catalog_state", "open_catalog"]
