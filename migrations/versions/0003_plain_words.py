"""The words of the glossary: the event `needs-review`, and columns that say what was reported.

Times are whole microseconds. Nothing is lost: columns and stored events are renamed in place.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_COLUMNS = {
    "needs_look": "needs_review",
    "told_missing": "reported_missing",
    "told_refused": "reported_refused",
    "told_limits": "reported_limits",
}


def upgrade() -> None:
    for before, after in _COLUMNS.items():
        # Not in batch mode, which builds the table again: SQLite renames a column in place since 3.25.
        op.execute(f"ALTER TABLE watches RENAME COLUMN {before} TO {after}")
    op.execute("UPDATE events SET kind = 'needs-review' WHERE kind = 'needs-look'")
