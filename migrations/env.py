"""Alembic's entry point: runs on gemwatch's connection, in its transaction."""

from alembic import context

from gemwatch.adapters.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by copying it
    compare_type=True,
)
context.run_migrations()
