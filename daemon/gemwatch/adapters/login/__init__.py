"""Bearer tokens: from a command, a file, a value or azure-identity, renewed before they expire.

Called by the engine through `engine.ports.Credentials`, and by `cli`.
"""
