"""Edge gateways: what they say of themselves, what is asked of them, and who of a standby group collects."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TABLES = ("gateways", "gateway_conditions", "gateway_requests", "gateway_leases")


def upgrade() -> None:
    _gateways()
    _conditions()
    _requests()
    _leases()
    if op.get_context().dialect.name == "postgresql":
        # As in 0004: what concerns the whole site is nobody's who may see a part of it.
        for table in _TABLES:
            whole = "current_setting('forewarn.scope', true) = '*'"
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            op.execute(f"CREATE POLICY {table}_scope ON {table} USING ({whole}) WITH CHECK ({whole})")


def _gateways() -> None:
    op.create_table(
        "gateways",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.Column("last_seen", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("status", sa.JSON(), nullable=True),
        sa.Column("signal_table", sa.Text(), nullable=False),
        sa.Column("signals", sa.JSON(), nullable=False),
        sa.Column("scored", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_gateways")),
    )


def _conditions() -> None:
    op.create_table(
        "gateway_conditions",
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["gateway"], ["gateways.name"], name=op.f("fk_gateway_conditions_gateway")),
        sa.PrimaryKeyConstraint("gateway", "code", "subject", "since", name=op.f("pk_gateway_conditions")),
    )
    op.create_index("ix_gateway_conditions_ended_at", "gateway_conditions", ["ended_at"])


def _requests() -> None:
    op.create_table(
        "gateway_requests",
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("signals", sa.JSON(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("told_at", sa.BigInteger(), nullable=True),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["gateway"], ["gateways.name"], name=op.f("fk_gateway_requests_gateway")),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_gateway_requests")),
    )
    op.create_index("ix_gateway_requests_gateway", "gateway_requests", ["gateway", "asked_at"])


def _leases() -> None:
    op.create_table(
        "gateway_leases",
        sa.Column("standby_group", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("cover_from", sa.BigInteger(), nullable=False),
        sa.Column("covered_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("standby_group", "epoch", name=op.f("pk_gateway_leases")),
    )


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)
