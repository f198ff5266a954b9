"""Whether models or people's words on findings changed, in one short row each; and models whose bytes were deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Without row-level security: it holds numbers that say nothing of any machine, and everybody's changes count.
    op.create_table(
        "revisions",
        sa.Column("noun", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("noun", name=op.f("pk_revisions")),
    )
    op.add_column("model_versions", sa.Column("bytes_deleted_at", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_anomalies_labelled",
        "anomalies",
        ["detector", "detected_at"],
        sqlite_where=sa.text("feedback IS NOT NULL"),
        postgresql_where=sa.text("feedback IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_anomalies_labelled", "anomalies")
    with op.batch_alter_table("model_versions", schema=None) as batch_op:
        batch_op.drop_column("bytes_deleted_at")
    op.drop_table("revisions")
