"""The moving parts: claim, look, decide, record; claim, compose, send, settle; read, check, apply."""
