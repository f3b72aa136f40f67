"""The GEM API: sends requests and converts its JSON into the core's values.

Called by the engine through `engine.ports.Api`, and by `cli`.
"""
