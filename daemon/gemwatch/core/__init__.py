"""Values and decisions. Imports only the standard library and itself, reads no clock and does no I/O."""
