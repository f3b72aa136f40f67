"""Targets: checks Apprise URLs, and sends messages with one thread per target.

Called by the engine through `engine.ports.Targets`, and by `cli`.
"""
