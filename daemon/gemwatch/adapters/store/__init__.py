"""The database: tables, migrations, claims, the outbox, and the reads for pages and commands.

Called by `engine` through its ports, and by `app`, `web` and `cli` for reading.
"""
