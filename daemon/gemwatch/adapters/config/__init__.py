"""The YAML configuration: reads it, names the place of every mistake, edits it, and watches it for changes.

Called by `app` and `cli`. Turns files into `core.settings` values and knows nothing of a running daemon.
"""
