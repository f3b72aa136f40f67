"""Which undocumented statuses of a job were reported, one per line."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None
min_version = "0006"  # a new column: the previous gemwatch can use the store


def upgrade() -> None:
    op.add_column("watches", sa.Column("reported_statuses", sa.Text(), nullable=True))
