"""Outbound HTTPS to the site: live parcels first, the backlog beside them, a heartbeat (docs/formats/uplink.md)."""
