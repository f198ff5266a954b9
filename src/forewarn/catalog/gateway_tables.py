"""The tables of edge gateways. Times are int64 microseconds UTC; signals are lists of ids."""

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, Table, Text

from forewarn.catalog.tables import metadata, required

gateways = Table(
    "gateways",
    metadata,
    Column("name", Text, primary_key=True),
    required("first_seen", BigInteger),
    Column("last_seen", BigInteger),
    required("version", Text),
    required("role", Text),
    required("public_key", Text),
    Column("status", JSON(none_as_null=True)),
    required("signal_table", Text),
    required("signals", JSON),
    required("scored", JSON),
)

# since, last_at: by the gateway's clock; ended_at: by the site's.
gateway_conditions = Table(
    "gateway_conditions",
    metadata,
    Column("gateway", Text, ForeignKey("gateways.name"), primary_key=True),
    Column("code", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("since", BigInteger, primary_key=True, autoincrement=False),
    required("last_at", BigInteger),
    required("text", Text),
    required("count", BigInteger),
    Column("ended_at", BigInteger),
    Index("ix_gateway_conditions_ended_at", "ended_at"),
)

gateway_requests = Table(
    "gateway_requests",
    metadata,
    Column("request_id", Text, primary_key=True),
    required("gateway", Text, ForeignKey("gateways.name")),
    required("signals", JSON),
    required("start", BigInteger),
    required("end", BigInteger),
    required("asked_by", Text),
    required("asked_at", BigInteger),
    Column("told_at", BigInteger),
    Column("done_at", BigInteger),
    Index("ix_gateway_requests_gateway", "gateway", "asked_at"),
)

# A row a change of holder; the newest epoch is the lease, the others tell who covered what. missing: what the holder
# had not read of that time, {"until": how far what lasts had come, "spans": [[source, start, end or null]]}.
gateway_leases = Table(
    "gateway_leases",
    metadata,
    Column("standby_group", Text, primary_key=True),
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    required("holder", Text),
    required("until", BigInteger),
    required("cover_from", BigInteger),
    required("covered_until", BigInteger),
    Column("missing", JSON(none_as_null=True)),
)
