"""Trained models: versions, who is champion of which machine, and rollouts."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TABLES = ("model_versions", "model_champions", "model_rollouts", "model_rollout_members")
_ALL = "current_setting('forewarn.scope', true) = '*'"


def upgrade() -> None:
    _versions()
    _champions()
    _rollouts()
    _members()
    if op.get_context().dialect.name == "postgresql":
        for table in ("model_versions", "model_champions", "model_rollout_members"):
            # As in 0004: `assets` is itself narrowed, so what is found there may be seen.
            _guard(table, f"EXISTS (SELECT 1 FROM assets a WHERE a.asset_id = {table}.asset_id)")  # noqa: S608
        member = "SELECT 1 FROM model_rollout_members m WHERE m.rollout_id = model_rollouts.rollout_id"
        _guard("model_rollouts", f"EXISTS ({member})")


def _guard(table: str, condition: str) -> None:
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    whole = f"{_ALL} OR {condition}"
    op.execute(f"CREATE POLICY {table}_scope ON {table} USING ({whole}) WITH CHECK ({whole})")


def _versions() -> None:
    op.create_table(
        "model_versions",
        sa.Column("version_id", sa.Text(), nullable=False),
        sa.Column("asset_id", sa.Text(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("detectors", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("signed_by", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_since", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("card", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["asset_id"], ["assets.asset_id"], name=op.f("fk_model_versions_asset_id")),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_model_versions")),
    )
    op.create_index("ix_model_versions_asset_id", "model_versions", ["asset_id", "created_at"])
    op.create_index("ix_model_versions_state", "model_versions", ["state"])


def _champions() -> None:
    op.create_table(
        "model_champions",
        sa.Column("asset_id", sa.Text(), nullable=False),
        sa.Column("version_id", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("former_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["asset_id"], ["assets.asset_id"], name=op.f("fk_model_champions_asset_id")),
        sa.ForeignKeyConstraint(
            ["version_id"], ["model_versions.version_id"], name=op.f("fk_model_champions_version_id")
        ),
        sa.ForeignKeyConstraint(
            ["former_id"], ["model_versions.version_id"], name=op.f("fk_model_champions_former_id")
        ),
        sa.PrimaryKeyConstraint("asset_id", name=op.f("pk_model_champions")),
    )


def _rollouts() -> None:
    op.create_table(
        "model_rollouts",
        sa.Column("rollout_id", sa.Text(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("share", sa.Float(53), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("rollout_id", name=op.f("pk_model_rollouts")),
    )
    op.create_index("ix_model_rollouts_started_at", "model_rollouts", ["started_at"])


def _members() -> None:
    op.create_table(
        "model_rollout_members",
        sa.Column("rollout_id", sa.Text(), nullable=False),
        sa.Column("asset_id", sa.Text(), nullable=False),
        sa.Column("version_id", sa.Text(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["rollout_id"], ["model_rollouts.rollout_id"], name=op.f("fk_model_rollout_members_rollout_id")
        ),
        sa.ForeignKeyConstraint(["asset_id"], ["assets.asset_id"], name=op.f("fk_model_rollout_members_asset_id")),
        sa.ForeignKeyConstraint(
            ["version_id"], ["model_versions.version_id"], name=op.f("fk_model_rollout_members_version_id")
        ),
        sa.PrimaryKeyConstraint("rollout_id", "asset_id", name=op.f("pk_model_rollout_members")),
    )
    op.create_index(
        "uq_model_rollout_members_open",
        "model_rollout_members",
        ["asset_id"],
        unique=True,
        sqlite_where=sa.text("is_open"),
        postgresql_where=sa.text("is_open"),
    )


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP POLICY model_rollouts_scope ON model_rollouts")  # it names another table
    for table in reversed(_TABLES):
        op.drop_table(table)
