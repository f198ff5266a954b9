"""Trained models at a gateway: fetched from the site, checked, kept on disk, used (docs/operations/gateway.md)."""
