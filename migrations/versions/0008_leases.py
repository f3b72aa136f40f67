"""Which daemon uses a PostgreSQL store; settings of its busy tables. Additive: SQLite stores do not use the table."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None
min_version = "0006"  # a table was added: the previous version can use the store


def upgrade() -> None:
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )
    if op.get_bind().dialect.name == "postgresql":
        # Each poll updates its row twice. Room in the pages keeps such updates out of the indexes' way, and frequent
        # cleaning keeps the tables small.
        for table, room in (("watches", 70), ("deliveries", 80), ("leases", 50)):
            op.execute(
                f"ALTER TABLE {table} SET (fillfactor = {room}, autovacuum_vacuum_scale_factor = 0.02, "
                "autovacuum_vacuum_threshold = 200)"
            )
