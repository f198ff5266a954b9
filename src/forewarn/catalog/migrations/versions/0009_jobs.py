"""Jobs that outlive the process that does them."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_ALL = "current_setting('forewarn.scope', true) = '*'"


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("by_whom", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_jobs")),
    )
    op.create_index("ix_jobs_state", "jobs", ["state"])
    op.create_index("ix_jobs_created_at", "jobs", ["created_at"])
    op.create_table(
        "job_items",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("asset_id", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Float(53), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.job_id"], name=op.f("fk_job_items_job_id")),
        sa.ForeignKeyConstraint(["asset_id"], ["assets.asset_id"], name=op.f("fk_job_items_asset_id")),
        sa.PrimaryKeyConstraint("job_id", "asset_id", name=op.f("pk_job_items")),
    )
    if op.get_context().dialect.name == "postgresql":
        # As in 0004: `assets` is itself narrowed, so what is found there may be seen. A job is written before its
        # machines are, so only reading it is narrowed.
        seen = "EXISTS (SELECT 1 FROM assets a WHERE a.asset_id = job_items.asset_id)"
        _guard("job_items", seen, seen)
        _guard("jobs", "EXISTS (SELECT 1 FROM job_items i WHERE i.job_id = jobs.job_id)", "true")


def _guard(table: str, using: str, check: str) -> None:
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY {table}_scope ON {table} USING ({_ALL} OR {using}) WITH CHECK ({_ALL} OR {check})")


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP POLICY jobs_scope ON jobs")  # it names another table
    op.drop_table("job_items")
    op.drop_table("jobs")
