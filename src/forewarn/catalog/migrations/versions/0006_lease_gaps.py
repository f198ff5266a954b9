"""What the holder of a lease has not read, so that its partner tells it."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A plain ADD COLUMN on both databases: PostgreSQL's row-level security of the table stays as it is.
    op.add_column("gateway_leases", sa.Column("missing", sa.JSON(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("gateway_leases", schema=None) as batch_op:
        batch_op.drop_column("missing")
