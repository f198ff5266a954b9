"""The tables of jobs. Times are int64 microseconds UTC."""

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, Integer, Table, Text

from forewarn.catalog.tables import Double, metadata, required

# owner, lease_until: who holds it, and until when. phase: what is done now, in words.
jobs = Table(
    "jobs",
    metadata,
    Column("job_id", Text, primary_key=True),
    required("kind", Text),
    required("by_whom", Text),
    required("created_at", BigInteger),
    required("settings", JSON),
    required("state", Text),
    Column("ended_at", BigInteger),
    required("owner", Text),
    required("lease_until", BigInteger),
    required("phase", Text),
    Index("ix_jobs_state", "state"),
    Index("ix_jobs_created_at", "created_at"),
)

job_items = Table(
    "job_items",
    metadata,
    Column("job_id", Text, ForeignKey("jobs.job_id"), primary_key=True),
    Column("asset_id", Text, ForeignKey("assets.asset_id"), primary_key=True),
    required("place", Integer),
    required("state", Text),
    required("text", Text),
    required("result", Text),
    required("seconds", Double),
)
