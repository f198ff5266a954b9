"""The relational store: one repository file a noun; migrations inside."""

from forewarn.catalog.catalog import Catalog, open_catalog

__all__ = ["Catalog", "open_catalog"]
