"""Values and decisions: imports the standard library and itself, knows no clock, does no I/O."""
