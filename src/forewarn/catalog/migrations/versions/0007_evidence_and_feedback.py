"""Why a trained model found something, and what people said of a finding."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Plain ADD COLUMNs on both databases: PostgreSQL's row-level security of the table stays as it is.
    op.add_column("anomalies", sa.Column("evidence", sa.JSON(), nullable=True))
    op.add_column("anomalies", sa.Column("feedback", sa.JSON(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("anomalies", schema=None) as batch_op:
        batch_op.drop_column("feedback")
        batch_op.drop_column("evidence")
