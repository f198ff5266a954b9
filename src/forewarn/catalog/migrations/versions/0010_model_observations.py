"""What was seen of models that are being tried."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "model_observations",
        sa.Column("rollout_id", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("teller", sa.Text(), nullable=False),
        sa.Column("run", sa.BigInteger(), nullable=False),
        sa.Column("tally", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["rollout_id"], ["model_rollouts.rollout_id"], name=op.f("fk_model_observations_rollout_id")
        ),
        sa.PrimaryKeyConstraint("rollout_id", "since", "side", "teller", "run", name=op.f("pk_model_observations")),
    )
    if op.get_context().dialect.name == "postgresql":
        # Counts of all machines of a rollout together: for those alone who see everything.
        op.execute("ALTER TABLE model_observations ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE model_observations FORCE ROW LEVEL SECURITY")
        whole = "current_setting('forewarn.scope', true) = '*'"
        op.execute(f"CREATE POLICY model_observations_scope ON model_observations USING ({whole}) WITH CHECK ({whole})")


def downgrade() -> None:
    op.drop_table("model_observations")
