"""Which targets are down, which deliveries went to fallbacks, and the sent texts. Times are whole microseconds."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None
min_version = "0006"  # a delivery state that older versions do not know


def upgrade() -> None:
    for name, kind in (
        ("rerouted_from", sa.Text()),
        ("rerouted_at", sa.BigInteger()),
        ("missed", sa.Text()),
        ("message_id", sa.BigInteger()),
    ):
        op.add_column("deliveries", sa.Column(name, kind))
    op.create_table(
        "messages",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_messages_at", "messages", ["at"])
    op.create_table(
        "target_health",
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("failing_since", sa.BigInteger()),
        sa.Column("refused_at", sa.BigInteger()),
        sa.Column("down_since", sa.BigInteger()),
        sa.Column("reason", sa.Text()),
        sa.Column("probes", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("probe_at", sa.BigInteger()),
        sa.Column("hold_until", sa.BigInteger()),
        sa.Column("announced_at", sa.BigInteger()),
        sa.Column("announced", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("target", name="pk_target_health"),
    )
