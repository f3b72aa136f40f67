"""Targets: Apprise URLs checked, and messages sent by one thread per target.

Called by the engine through `engine.ports.Targets`, and by `cli`.
"""
