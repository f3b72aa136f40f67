"""Sessions of the web pages that ended with a logout. Additive: an older gemwatch does not read the table."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None
min_version = "0004"  # a table was added: the previous version can use the store


def upgrade() -> None:
    op.create_table(
        "ended_sessions",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_ended_sessions")),
    )
