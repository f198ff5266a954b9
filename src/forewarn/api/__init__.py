"""The HTTP API: one file a noun. docs/api.md is its contract."""
