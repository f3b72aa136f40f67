"""Alembic's entry: runs on the connection that gemwatch hands over, in the transaction that it began."""

from alembic import context

from gemwatch.adapters.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by copying it
    compare_type=True,
)
context.run_migrations()
