"""Rules that find jobs, what they found, groups, and runs that were learned from lists. All of it is additive."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None
min_version = "0006"  # new tables and columns: an older gemwatch can use the store


def upgrade() -> None:
    op.add_column("watches", sa.Column("rule", sa.Text(), nullable=True))
    op.add_column("watches", sa.Column("group_name", sa.Text(), nullable=True))
    op.create_index(op.f("ix_watches_group_name"), "watches", ["group_name"])
    op.create_table(
        "rules",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("applied_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_rules")),
    )
    op.create_table(
        "discovered",
        sa.Column("job_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("rule", sa.Text(), nullable=True),
        sa.Column("excluded", sa.Boolean(), nullable=False),
        sa.Column("storage_id", sa.Text(), nullable=True),
        sa.Column("input_filename", sa.Text(), nullable=True),
        sa.Column("release", sa.Text(), nullable=True),
        sa.Column("job_type", sa.Text(), nullable=True),
        sa.Column("requested_at", sa.BigInteger(), nullable=True),
        sa.Column("listed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_discovered")),
    )
    op.create_table(
        "groups",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("member_added_at", sa.BigInteger(), nullable=False),
        sa.Column("idle_since", sa.BigInteger(), nullable=True),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_groups")),
    )
    op.create_table(
        "learned_runs",
        sa.Column("job_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("storage_id", sa.Text(), nullable=True),
        sa.Column("input_filename", sa.Text(), nullable=True),
        sa.Column("job_type", sa.Text(), nullable=True),
        sa.Column("overture_release", sa.Text(), nullable=True),
        sa.Column("orbis_version", sa.Text(), nullable=True),
        sa.Column("requested_at", sa.BigInteger(), nullable=True),
        sa.Column("queued", sa.BigInteger(), nullable=True),
        sa.Column("ran", sa.BigInteger(), nullable=True),
        sa.Column("confidence_threshold", sa.Integer(), nullable=True),
        sa.Column("kilometres", sa.Float(), nullable=True),
        sa.Column("roads", sa.Integer(), nullable=True),
        sa.Column("matched", sa.Float(), nullable=True),
        sa.Column("fully_matched", sa.Float(), nullable=True),
        sa.Column("partially_matched", sa.Float(), nullable=True),
        sa.Column("unmatched", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_learned_runs")),
    )
    op.create_index(
        op.f("ix_learned_runs_storage_id_input_filename_job_type"),
        "learned_runs",
        ["storage_id", "input_filename", "job_type"],
    )
