"""The YAML configuration: read and checked with every mistake's place, edited by commands, watched for changes.

Called by `app` and `cli`. Turns files into `core.settings` values and knows nothing of a running daemon.
"""
