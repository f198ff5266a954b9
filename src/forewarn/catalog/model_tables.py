"""The tables of trained models and their rollouts. Times are int64 microseconds UTC."""

from sqlalchemy import JSON, BigInteger, Boolean, Column, ForeignKey, Index, Table, Text, text

from forewarn.catalog.tables import Double, metadata, required

# version_id: SHA-256 of the artifact's payload, the name of its file (model_files.py).
model_versions = Table(
    "model_versions",
    metadata,
    Column("version_id", Text, primary_key=True),
    required("asset_id", Text, ForeignKey("assets.asset_id")),
    required("template", Text),
    required("detectors", JSON),
    required("created_at", BigInteger),
    required("signed_by", Text),
    required("size", BigInteger),
    required("state", Text),
    required("state_since", BigInteger),
    required("reason", Text),
    required("card", JSON),
    Column("bytes_deleted_at", BigInteger),
    Index("ix_model_versions_asset_id", "asset_id", "created_at"),
    Index("ix_model_versions_state", "state"),
)

# former_id: acts again when this one is rolled back.
model_champions = Table(
    "model_champions",
    metadata,
    Column("asset_id", Text, ForeignKey("assets.asset_id"), primary_key=True),
    required("version_id", Text, ForeignKey("model_versions.version_id")),
    required("since", BigInteger),
    Column("former_id", Text, ForeignKey("model_versions.version_id")),
)

model_rollouts = Table(
    "model_rollouts",
    metadata,
    Column("rollout_id", Text, primary_key=True),
    required("started_at", BigInteger),
    required("state", Text),
    required("since", BigInteger),
    required("share", Double),
    Column("reason", Text),
    required("note", Text),
    Index("ix_model_rollouts_started_at", "started_at"),
)

# is_open: the rollout is under way, and no other one may take the machine.
model_rollout_members = Table(
    "model_rollout_members",
    metadata,
    Column("rollout_id", Text, ForeignKey("model_rollouts.rollout_id"), primary_key=True),
    Column("asset_id", Text, ForeignKey("assets.asset_id"), primary_key=True),
    required("version_id", Text, ForeignKey("model_versions.version_id")),
    required("is_open", Boolean),
    Index(
        "uq_model_rollout_members_open",
        "asset_id",
        unique=True,
        sqlite_where=text("is_open"),
        postgresql_where=text("is_open"),
    ),
)

# What one side of a rollout did in one process: teller is a gateway's name, '' the site itself. tally: the rest of
# domain/model_delivery.py's Tally.
model_observations = Table(
    "model_observations",
    metadata,
    Column("rollout_id", Text, ForeignKey("model_rollouts.rollout_id"), primary_key=True),
    Column("since", BigInteger, primary_key=True, autoincrement=False),
    Column("side", Text, primary_key=True),
    Column("teller", Text, primary_key=True),
    Column("run", BigInteger, primary_key=True, autoincrement=False),
    required("tally", JSON),
)
