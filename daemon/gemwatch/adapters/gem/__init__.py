"""The GEM API: requests about jobs, and its JSON turned into our own values.

Called by the engine through `engine.ports.Api`, and by `cli`.
"""
